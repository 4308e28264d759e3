"""The losses against slow loops written from the papers, others' values, limit cases, symmetries and gradients."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.methods.losses import moco_loss, ressl_loss, sce_loss, sce_loss_in_batch
from tests.methods.waves import waves

pytestmark = pytest.mark.rounding

SCALARS: dict[str, float] = {"coeff": 0.3, "temperature": 0.1, "target_temperature": 0.05}


def unit_rows(rows: int, *, seed: int, dim: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    drawn = torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(drawn, dim=1).to(dtype)


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def slow_row(
    query: list[float],
    own_key: list[float],
    other_keys: list[list[float]],
    *,
    coeff: float,
    temperature: float,
    target_temperature: float,
) -> float:
    """One row of the paper's loss in plain Python: - sum_j w_j log p_j, own key first, not in the relations."""
    online = [math.exp(dot(query, candidate) / temperature) for candidate in [own_key, *other_keys]]
    relations = [math.exp(dot(own_key, other) / target_temperature) for other in other_keys]
    weights = [coeff] + [(1 - coeff) * relation / math.fsum(relations) for relation in relations]
    return -math.fsum(w * math.log(p / math.fsum(online)) for w, p in zip(weights, online, strict=True))


def slow_queue_loss(query: Tensor, key: Tensor, queue: Tensor, **scalars: float) -> float:
    rows = [slow_row(q, k, queue.tolist(), **scalars) for q, k in zip(query.tolist(), key.tolist(), strict=True)]
    return math.fsum(rows) / len(rows)


def slow_in_batch_loss(query: Tensor, keys: Tensor, queue: Tensor, positive_index: Tensor, **scalars: float) -> float:
    losses = []
    for q, own in zip(query.tolist(), positive_index.tolist(), strict=True):
        others = [k for column, k in enumerate(keys.tolist()) if column != own] + queue.tolist()
        losses.append(slow_row(q, keys[own].tolist(), others, **scalars))
    return math.fsum(losses) / len(losses)


@pytest.mark.parametrize("coeff", [0.0, 0.125, 0.5, 1.0])
@pytest.mark.parametrize(("temperature", "target_temperature"), [(0.1, 0.05), (0.2, 0.07), (1.0, 3.0)])
@pytest.mark.parametrize("queue_length", [1, 7])
def test_queue_loss_is_the_papers_formula(
    coeff: float, temperature: float, target_temperature: float, queue_length: int
) -> None:
    query, key, queue = unit_rows(4, seed=0), unit_rows(4, seed=1), unit_rows(queue_length, seed=2)
    scalars = {"coeff": coeff, "temperature": temperature, "target_temperature": target_temperature}
    loss = sce_loss(query, key, queue, **scalars)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(slow_queue_loss(query, key, queue, **scalars), rel=1e-12)


@pytest.mark.parametrize("coeff", [0.0, 0.125, 0.5, 1.0])
@pytest.mark.parametrize("queue_length", [0, 6])
@pytest.mark.parametrize("first_row", [0, 2, 5], ids=lambda row: f"first_row_{row}")
def test_in_batch_loss_is_the_papers_formula(coeff: float, queue_length: int, first_row: int) -> None:
    """`first_row` above 0: the queries of another rank, 3 of 8 videos."""
    query, keys, queue = unit_rows(3, seed=0), unit_rows(8, seed=1), unit_rows(queue_length, seed=2)
    own = torch.arange(first_row, first_row + 3)
    scalars = {"coeff": coeff, "temperature": 0.1, "target_temperature": 0.05}
    loss = sce_loss_in_batch(query, keys, queue, positive_index=own, **scalars)
    assert loss.item() == pytest.approx(slow_in_batch_loss(query, keys, queue, own, **scalars), rel=1e-12)


def test_queue_loss_by_hand() -> None:
    """Similarities 1, 0, -1 to the query and 0, -1 to the key, both temperatures 1.

    log(e + 1 + 1/e) = 1.4076060; relations 0.7310586 and 0.2689414;
    1.4076060 - 0.5 * 1 - 0.5 * 0.7310586 * 0 + 0.5 * 0.2689414 = 1.0420767
    """
    east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    loss = sce_loss(east, east, torch.cat([north, -east]), coeff=0.5, temperature=1.0, target_temperature=1.0)
    assert loss.item() == pytest.approx(1.0420767, abs=1e-6)


def test_float32_agrees_with_double() -> None:
    query, key, queue = unit_rows(16, seed=0, dim=64), unit_rows(16, seed=1, dim=64), unit_rows(256, seed=2, dim=64)
    single = sce_loss(query.float(), key.float(), queue.float(), **SCALARS)
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(slow_queue_loss(query, key, queue, **SCALARS), rel=1e-5)


def test_coeff_one_is_info_nce() -> None:
    query, key, queue = unit_rows(4, seed=0), unit_rows(4, seed=1), unit_rows(9, seed=2)
    scalars = {"coeff": 1.0, "temperature": 0.2, "target_temperature": 0.05}

    moco = torch.cat([torch.einsum("bd,bd->b", query, key)[:, None], torch.einsum("bd,kd->bk", query, queue)], dim=1)
    expected = F.cross_entropy(moco / 0.2, torch.zeros(4, dtype=torch.int64))
    torch.testing.assert_close(sce_loss(query, key, queue, **scalars), expected)

    own = torch.arange(4)
    everything = torch.einsum("bd,nd->bn", query, torch.cat([key, queue]))
    in_batch = sce_loss_in_batch(query, key, queue, positive_index=own, **scalars)
    torch.testing.assert_close(in_batch, F.cross_entropy(everything / 0.2, own))


def test_coeff_zero_gives_the_own_key_no_weight_but_leaves_it_in_the_denominator() -> None:
    """The own key is the query itself, the only other key is opposite: all weight is there, -log softmax(1, -1)[1]."""
    query = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    expected = math.log(math.exp(-1) + math.exp(1)) + 1
    scalars = {"coeff": 0.0, "temperature": 1.0, "target_temperature": 0.05}
    assert sce_loss(query, query, -query, **scalars).item() == pytest.approx(expected, rel=1e-12)
    in_batch = sce_loss_in_batch(query, query, -query, positive_index=torch.tensor([0]), **scalars)
    assert in_batch.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_in_batch_loss_is_the_queue_loss_with_the_other_keys_queued(batch_size: int) -> None:
    """With a batch of one there are no other keys and both settings are the same."""
    query, keys, queue = unit_rows(batch_size, seed=0), unit_rows(batch_size, seed=1), unit_rows(5, seed=2)
    rows = []
    for i in range(batch_size):
        others = torch.cat([keys[:i], keys[i + 1 :], queue])
        rows.append(sce_loss(query[i : i + 1], keys[i : i + 1], others, **SCALARS))
    in_batch = sce_loss_in_batch(query, keys, queue, positive_index=torch.arange(batch_size), **SCALARS)
    torch.testing.assert_close(in_batch, torch.stack(rows).mean())


def test_order_of_queue_and_batch_does_not_matter() -> None:
    query, key, queue = unit_rows(5, seed=0), unit_rows(5, seed=1), unit_rows(7, seed=2)
    generator = torch.Generator().manual_seed(3)
    batch, ring = torch.randperm(5, generator=generator), torch.randperm(7, generator=generator)
    torch.testing.assert_close(
        sce_loss(query[batch], key[batch], queue[ring], **SCALARS), sce_loss(query, key, queue, **SCALARS)
    )
    shuffled_rows = torch.argsort(batch)  # video i is in row shuffled_rows[i] of key[batch]
    torch.testing.assert_close(
        sce_loss_in_batch(query, key[batch], queue[ring], positive_index=shuffled_rows, **SCALARS),
        sce_loss_in_batch(query, key, queue, positive_index=torch.arange(5), **SCALARS),
    )


def test_only_angles_between_embeddings_matter() -> None:
    query, key, queue = unit_rows(5, seed=0), unit_rows(5, seed=1), unit_rows(7, seed=2)
    rotation = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))[0]
    rotated = sce_loss(query @ rotation, key @ rotation, queue @ rotation, **SCALARS)
    torch.testing.assert_close(rotated, sce_loss(query, key, queue, **SCALARS))


@pytest.mark.parametrize("coeff", [0.0, 0.5, 1.0])
def test_gradient_of_the_query_is_right(coeff: float) -> None:
    key, queue = unit_rows(3, seed=1), unit_rows(4, seed=2)
    scalars = {"coeff": coeff, "temperature": 0.3, "target_temperature": 0.2}
    query = unit_rows(3, seed=0).requires_grad_()
    assert torch.autograd.gradcheck(lambda q: sce_loss(q, key, queue, **scalars), query)
    own = torch.tensor([2, 0, 1])
    assert torch.autograd.gradcheck(lambda q: sce_loss_in_batch(q, key, queue, positive_index=own, **scalars), query)


@pytest.mark.parametrize("in_batch", [False, True])
def test_keys_and_queue_get_no_gradient(in_batch: bool) -> None:
    query, key, queue = (unit_rows(rows, seed=rows).requires_grad_() for rows in (3, 3, 4))
    if in_batch:
        loss = sce_loss_in_batch(query, key, queue, positive_index=torch.arange(3), **SCALARS)
    else:
        loss = sce_loss(query, key, queue, **SCALARS)
    loss.backward()
    assert query.grad is not None
    assert query.grad.abs().min() > 0
    assert key.grad is None
    assert queue.grad is None


@pytest.mark.parametrize("coeff", [0.0, 1.0])
def test_sharp_temperatures_stay_finite_in_float32(coeff: float) -> None:
    """exp(1 / 0.005) is far beyond float32."""
    query, key, queue = (unit_rows(rows, seed=rows, dtype=torch.float32) for rows in (2, 3, 4))
    query.requires_grad_()
    scalars = {"coeff": coeff, "temperature": 0.005, "target_temperature": 0.005}
    loss = sce_loss(query, key[:2], queue, **scalars)
    loss = loss + sce_loss_in_batch(query, key, queue, positive_index=torch.tensor([2, 0]), **scalars)
    loss.backward()
    assert query.grad is not None
    assert loss.isfinite()
    assert query.grad.isfinite().all()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"coeff": -0.1}, "coeff is -0.1"),
        ({"coeff": 1.5}, "coeff is 1.5"),
        ({"coeff": math.nan}, "coeff is nan"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"target_temperature": -0.05}, "target_temperature is -0.05"),
        ({"target_temperature": math.nan}, "target_temperature is nan"),
    ],
)
def test_scalars_out_of_range_are_refused_by_name(changed: dict[str, float], named: str) -> None:
    query, key, queue = unit_rows(2, seed=0), unit_rows(2, seed=1), unit_rows(3, seed=2)
    with pytest.raises(ValueError, match=f"^{named}"):
        sce_loss(query, key, queue, **(SCALARS | changed))
    with pytest.raises(ValueError, match=f"^{named}"):
        sce_loss_in_batch(query, key, queue, positive_index=torch.arange(2), **(SCALARS | changed))


@pytest.mark.parametrize(
    ("key", "queue", "named"),
    [
        (unit_rows(2, seed=1), unit_rows(0, seed=2), "queue is empty"),
        (unit_rows(2, seed=1), unit_rows(3, seed=2, dim=4), r"queue has shape \(3, 4\)"),
        (unit_rows(2, seed=1, dim=4), unit_rows(3, seed=2), r"key has shape \(2, 4\)"),
        (unit_rows(2, seed=1)[0], unit_rows(3, seed=2), r"key has shape \(5,\)"),
        (unit_rows(1, seed=1), unit_rows(3, seed=2), "1 keys and 2 queries"),
    ],
)
def test_queue_loss_refuses_shapes_that_do_not_fit(key: Tensor, queue: Tensor, named: str) -> None:
    query = unit_rows(2, seed=0)
    with pytest.raises(ValueError, match=named):
        sce_loss(query, key, queue, **SCALARS)
    with pytest.raises(ValueError, match=named):
        moco_loss(query, key, queue, temperature=0.2)
    with pytest.raises(ValueError, match=named):
        ressl_loss(query, key, queue, temperature=0.1, target_temperature=0.04)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"keys": unit_rows(1, seed=1), "queue": unit_rows(0, seed=2)}, "1 key and 0 in the queue"),
        ({"keys": unit_rows(2, seed=1, dim=4)}, r"key has shape \(2, 4\)"),
        ({"positive_index": torch.tensor([1])}, r"positive_index has shape \(1,\)"),
        ({"positive_index": torch.tensor([[0, 1]])}, r"positive_index has shape \(1, 2\)"),
    ],
)
def test_in_batch_loss_refuses_shapes_that_do_not_fit(changed: dict[str, Any], named: str) -> None:
    arguments = {"keys": unit_rows(2, seed=1), "queue": unit_rows(3, seed=2), "positive_index": torch.arange(2)}
    with pytest.raises(ValueError, match=named):
        sce_loss_in_batch(unit_rows(2, seed=0), **(arguments | changed), **SCALARS)


# Computed with the authors' code in float64.
@pytest.mark.parametrize(
    ("coeff", "expected"),
    [(0.0, 3.011541238985448), (0.125, 2.655427425563680), (0.5, 1.587085985298376), (1.0, 0.162630731611304)],
)
def test_in_batch_loss_of_the_authors(coeff: float, expected: float) -> None:
    scalars = {"coeff": coeff, "temperature": 0.1, "target_temperature": 0.05}
    query, keys, queue = waves(4, 8, 0.1), waves(4, 8, 0.2), waves(16, 8, 1.0)
    loss = sce_loss_in_batch(query, keys, queue, positive_index=torch.arange(4), **scalars)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_moco_loss_of_others_and_queue_loss_with_coeff_1() -> None:
    query, key, queue = waves(4, 8, 0.1), waves(4, 8, 0.2), waves(16, 8, 1.0)
    loss = sce_loss(query, key, queue, coeff=1.0, temperature=0.2, target_temperature=0.05)
    assert loss.item() == pytest.approx(0.607768004963805, rel=1e-12)
    assert moco_loss(query, key, queue, temperature=0.2).item() == pytest.approx(0.607768004963805, rel=1e-12)


def test_ressl_loss_of_the_authors() -> None:
    query, key, queue = waves(4, 8, 0.1), waves(4, 8, 0.2), waves(16, 8, 1.0)
    loss = ressl_loss(query, key, queue, temperature=0.1, target_temperature=0.04)
    assert loss.item() == pytest.approx(0.996733398037298, rel=1e-12)


def test_ressl_loss_by_hand() -> None:
    """Queue of the query and its opposite, key at a right angle: relations 1/2 and 1/2, log(e + 1/e) - 0; queue of one
    key: the only answer is certain, whatever query and key."""
    east, north = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    loss = ressl_loss(east, north, torch.cat([east, -east]), temperature=1.0, target_temperature=1.0)
    assert loss.item() == pytest.approx(math.log(math.e + 1 / math.e), abs=1e-6)
    assert ressl_loss(east, north, -east, temperature=0.1, target_temperature=0.04).item() == 0


@pytest.mark.parametrize("compute", [moco_loss, ressl_loss])
def test_losses_of_moco_and_ressl_give_gradient_to_the_query_alone(compute: Callable[..., Tensor]) -> None:
    query, key, queue = (unit_rows(rows, seed=rows + index).requires_grad_() for index, rows in enumerate((3, 3, 4)))
    scalars = {"temperature": 0.3} | ({"target_temperature": 0.2} if compute is ressl_loss else {})
    assert torch.autograd.gradcheck(lambda q: compute(q, key.detach(), queue.detach(), **scalars), query)
    compute(query, key, queue, **scalars).backward()
    assert query.grad is not None
    assert key.grad is None
    assert queue.grad is None


def test_temperatures_of_moco_and_ressl_that_are_not_positive_are_refused_by_name() -> None:
    query, key, queue = unit_rows(2, seed=0), unit_rows(2, seed=1), unit_rows(3, seed=2)
    with pytest.raises(ValueError, match=r"^temperature is 0\.0"):
        moco_loss(query, key, queue, temperature=0.0)
    with pytest.raises(ValueError, match=r"^temperature is -0\.1"):
        ressl_loss(query, key, queue, temperature=-0.1, target_temperature=0.04)
    with pytest.raises(ValueError, match=r"^target_temperature is nan"):
        ressl_loss(query, key, queue, temperature=0.1, target_temperature=math.nan)
