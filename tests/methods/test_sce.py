"""The whole SCE step on tiny modules: which branch sees which view, what learns, what is enqueued and when."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sce_video.methods.losses import sce_loss, sce_loss_in_batch
from sce_video.methods.sce import SCE
from tests.methods.still import still

pytestmark = pytest.mark.rounding

RATES = {"coeff": 0.4, "temperature": 0.2, "target_temperature": 0.1, "ema_momentum": 0.9}
LOSS_SCALARS = {"coeff": 0.4, "temperature": 0.2, "target_temperature": 0.1}
ONLINE = ("backbone.", "projector.", "predictor.")


def tiny_sce(*, norm: bool, queue_length: int = 7, in_batch_keys: bool = False) -> SCE:
    """Views of 8 numbers, embeddings of 4; the momentum branch is moved away from the online one."""
    torch.manual_seed(0)
    model = SCE(
        backbone=nn.Sequential(nn.Flatten(), nn.Linear(8, 6), nn.BatchNorm1d(6) if norm else nn.Identity(), nn.Tanh()),
        projector=nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, affine=False) if norm else nn.Identity()),
        predictor=nn.Linear(4, 4),
        embedding_dim=4,
        queue_length=queue_length,
        in_batch_keys=in_batch_keys,
        scheduled=still(RATES),
    )
    with torch.no_grad():
        for parameter in [*model.momentum_backbone.parameters(), *model.momentum_projector.parameters()]:
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def two_views(batch_size: int, *, seed: int = 1) -> tuple[Tensor, Tensor]:
    """(B, C, T, H, W), with statistics that differ between the views."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(batch_size, 1, 2, 2, 2, generator=generator),
        2 * torch.randn(batch_size, 1, 2, 2, 2, generator=generator) + 1,
    )


def normalised(embedding: Tensor) -> Tensor:
    return embedding / embedding.square().sum(dim=1, keepdim=True).sqrt()


def query_of(model: SCE, view: Tensor) -> Tensor:
    return normalised(model.predictor(model.projector(model.backbone(view))))


@torch.no_grad()
def key_of(model: SCE, view: Tensor) -> Tensor:
    return normalised(model.momentum_projector(model.momentum_backbone(view)))


def test_momentum_branch_starts_as_a_copy_of_backbone_and_projector() -> None:
    torch.manual_seed(0)
    model = SCE(
        backbone=nn.Linear(3, 3),
        projector=nn.Linear(3, 2),
        predictor=nn.Linear(2, 2),
        embedding_dim=2,
        queue_length=4,
        in_batch_keys=False,
        scheduled=still(RATES),
    )
    view = torch.randn(5, 3)
    torch.testing.assert_close(model.encode_key(view), normalised(model.projector(model.backbone(view)).detach()))
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {
        "backbone",
        "projector",
        "predictor",
        "momentum_backbone",
        "momentum_projector",
    }


@pytest.mark.parametrize("norm", [False, True])
def test_loss_is_the_mean_of_the_two_directions(norm: bool) -> None:
    """Keys of one view against queries of the other; batch norm sees one view at a time."""
    model = tiny_sce(norm=norm)
    view_1, view_2 = two_views(5)
    loss = model([view_1, view_2], at=RATES)
    one = sce_loss(query_of(model, view_2), key_of(model, view_1), model.queue.keys, **LOSS_SCALARS)
    two = sce_loss(query_of(model, view_1), key_of(model, view_2), model.queue.keys, **LOSS_SCALARS)
    assert abs(one - two) > 0.01  # a wrong pairing would show
    assert loss.shape == ()
    torch.testing.assert_close(loss, (one + two) / 2)


@pytest.mark.parametrize("queue_length", [0, 7])
def test_in_batch_keys_are_those_of_the_keys_own_view(queue_length: int) -> None:
    model = tiny_sce(norm=True, queue_length=queue_length, in_batch_keys=True)
    view_1, view_2 = two_views(5)
    loss = model([view_1, view_2], at=RATES)
    directions = [
        sce_loss_in_batch(
            query_of(model, asking),
            key_of(model, answering),
            model.queue.keys,
            positive_index=torch.arange(5),
            **LOSS_SCALARS,
        )
        for asking, answering in ((view_2, view_1), (view_1, view_2))
    ]
    torch.testing.assert_close(loss, (directions[0] + directions[1]) / 2)


def test_views_are_interchangeable_for_the_loss() -> None:
    model = tiny_sce(norm=False)
    view_1, view_2 = two_views(5)
    torch.testing.assert_close(model([view_1, view_2], at=RATES), model([view_2, view_1], at=RATES))


@pytest.mark.parametrize("in_batch_keys", [False, True])
def test_only_the_online_branch_learns(in_batch_keys: bool) -> None:
    model = tiny_sce(norm=True, in_batch_keys=in_batch_keys)
    model(two_views(5), at=RATES).backward()
    for name, parameter in model.named_parameters():
        if name.startswith(ONLINE):
            assert parameter.grad is not None, name
            # A bias before a batch norm has no effect; its gradient is rounding error.
            assert parameter.grad.abs().max() > 0 or name.endswith("bias"), name
        else:
            assert parameter.grad is None, name
            assert not parameter.requires_grad, name
    assert not model.queue.keys.requires_grad


def test_keys_enter_the_queue_after_the_step_view_1_first_part_by_part() -> None:
    model = tiny_sce(norm=True, queue_length=20)
    start = model.queue.keys.clone()
    parts = [two_views(3, seed=1), two_views(2, seed=2)]
    keys = [[key_of(model, view) for view in part] for part in parts]  # before the momentum branch moves
    for view_1, view_2 in parts:
        model([view_1, view_2], at=RATES)
        assert torch.equal(model.queue.keys, start)
    model.finish_step(at=RATES)
    expected = torch.cat([keys[0][0], keys[1][0], keys[0][1], keys[1][1], start[10:]])
    torch.testing.assert_close(model.queue.keys, expected)
    assert int(model.queue.position) == 10


def test_each_step_enqueues_its_own_keys_only() -> None:
    model = tiny_sce(norm=False, queue_length=20)
    for step, batch_size in enumerate((3, 2)):
        model(two_views(batch_size, seed=step), at=RATES)
        model.finish_step(at=RATES)
    assert int(model.queue.position) == 2 * (3 + 2)


def test_momentum_branch_follows_the_updated_online_branch_once_per_step() -> None:
    model = tiny_sce(norm=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = copy.deepcopy(model)
    for seed in (1, 2):
        (model(two_views(4, seed=seed), at=RATES) / 2).backward()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before.get_parameter(name)), name
    optimizer.step()
    model.finish_step(at=RATES)
    for name in ("backbone", "projector"):
        pairs = zip(
            model.get_submodule(f"momentum_{name}").parameters(),
            before.get_submodule(f"momentum_{name}").parameters(),
            model.get_submodule(name).parameters(),
            strict=True,
        )
        for now, then, online in pairs:
            torch.testing.assert_close(now, 0.9 * then + 0.1 * online)
            assert not torch.equal(now, then)


def test_batch_norm_statistics_of_the_branches_are_their_own() -> None:
    model = tiny_sce(norm=True)
    model(two_views(16), at=RATES)
    online, momentum = model.backbone[2], model.momentum_backbone[2]
    assert int(online.num_batches_tracked) == int(momentum.num_batches_tracked) == 2  # one per view
    kept = momentum.running_mean.clone()
    assert not torch.allclose(kept, online.running_mean)
    model.finish_step(at=RATES)
    assert torch.equal(momentum.running_mean, kept)


def test_accumulating_two_parts_is_one_batch() -> None:
    """Without batch norm the parts do not see each other: same gradients, momentum branch and queue."""
    view_1, view_2 = two_views(6)
    whole, parted = tiny_sce(norm=False, queue_length=16), tiny_sce(norm=False, queue_length=16)
    whole([view_1, view_2], at=RATES).backward()
    for rows in (slice(0, 3), slice(3, 6)):
        (parted([view_1[rows], view_2[rows]], at=RATES) / 2).backward()
    for model in (whole, parted):
        torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
        model.finish_step(at=RATES)
    for name, parameter in whole.named_parameters():
        other = parted.get_parameter(name)
        torch.testing.assert_close(other, parameter)
        if name.startswith(ONLINE):
            torch.testing.assert_close(other.grad, parameter.grad)
    torch.testing.assert_close(parted.queue.keys, whole.queue.keys)
    assert int(parted.queue.position) == int(whole.queue.position) == 12


@pytest.mark.parametrize("in_batch_keys", [False, True])
def test_autocast_stops_at_the_embeddings(in_batch_keys: bool) -> None:
    """Embeddings come out of bfloat16 layers; similarities, softmax, loss and queue are float32."""
    model = tiny_sce(norm=True, in_batch_keys=in_batch_keys)
    view_1, view_2 = two_views(5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model([view_1, view_2], at=RATES)
        assert model.projector(model.backbone(view_1)).dtype == torch.bfloat16
        queries, keys = zip(*[(model.encode_query(v), model.encode_key(v)) for v in (view_1, view_2)], strict=True)
    assert loss.dtype == torch.float32
    own = {"positive_index": torch.arange(5)} if in_batch_keys else {}
    compute = sce_loss_in_batch if in_batch_keys else sce_loss
    one = compute(queries[1], keys[0], model.queue.keys, **own, **LOSS_SCALARS)
    two = compute(queries[0], keys[1], model.queue.keys, **own, **LOSS_SCALARS)
    torch.testing.assert_close(loss, (one + two) / 2, rtol=1e-6, atol=0)
    model.finish_step(at=RATES)
    assert model.queue.keys.dtype == torch.float32
    torch.testing.assert_close(torch.linalg.vector_norm(model.queue.keys, dim=1), torch.ones(7))


def test_embeddings_are_unit_vectors_and_identity_is_no_predictor() -> None:
    torch.manual_seed(0)
    model = SCE(
        backbone=nn.Linear(3, 3),
        projector=nn.Linear(3, 2),
        predictor=nn.Identity(),
        embedding_dim=2,
        queue_length=4,
        in_batch_keys=False,
        scheduled=still(RATES),
    )
    view = 100 * torch.randn(5, 3)
    query = model.encode_query(view)
    torch.testing.assert_close(torch.linalg.vector_norm(query, dim=1), torch.ones(5))
    torch.testing.assert_close(query, F.normalize(model.projector(model.backbone(view)), dim=1))
    assert torch.equal(query.detach(), model.encode_key(view))  # both branches are the same at the start


def test_a_checkpoint_holds_everything_that_the_next_step_needs() -> None:
    model, other = tiny_sce(norm=True), tiny_sce(norm=True)
    for seed in (1, 2):
        model(two_views(4, seed=seed), at=RATES)
        model.finish_step(at={**RATES, "ema_momentum": 0.1})
    assert {"queue.keys", "queue.position"} <= model.state_dict().keys()
    views = two_views(4, seed=3)
    assert not torch.equal(other(views, at=RATES), model(views, at=RATES))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(views, at=RATES), model(views, at=RATES))
