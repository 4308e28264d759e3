"""The baselines against other people's values and slow loops, and what follows a step."""

import math
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sce_video.methods.base import Method
from sce_video.methods.byol import BYOL
from sce_video.methods.losses import info_nce
from sce_video.methods.moco_v2 import MoCoV2
from sce_video.methods.moco_v3 import MoCoV3
from sce_video.methods.ressl import ReSSL
from sce_video.methods.simclr import SimCLR
from tests.methods.still import still
from tests.methods.waves import waves

pytestmark = pytest.mark.rounding

SCALARS = {"temperature": 0.2, "ema_momentum": 0.9}
RATES = {**SCALARS, "target_temperature": 0.04}


QUERY, KEY = waves(4, 8, 0.1), waves(4, 8, 0.2)


class Flat(nn.Linear):
    def forward(self, view: Tensor) -> Tensor:
        return super().forward(view.flatten(1))


def branches() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"backbone": Flat(8, 6), "projector": nn.Linear(6, 4), "predictor": nn.Linear(4, 4)}


def moved(method: Method) -> Method:
    """The momentum branch is away from the online one."""
    with torch.no_grad():
        for name, parameter in method.named_parameters():
            if name.startswith("momentum"):
                parameter.add_(0.3 * torch.randn_like(parameter))
    return method.double()


def moco_v3(**settings: int) -> Method:
    return moved(MoCoV3(**branches(), scheduled=still(SCALARS), **settings))  # type: ignore[arg-type]


def byol(**settings: int) -> Method:
    return moved(BYOL(**branches(), scheduled=still({"ema_momentum": 0.9}), **settings))  # type: ignore[arg-type]


def moco_v2(**settings: int) -> Method:
    queue = {"embedding_dim": 4, "queue_length": 9}
    return moved(MoCoV2(**branches(), **queue, scheduled=still(SCALARS), **settings))  # type: ignore[arg-type]


def ressl(**settings: int) -> Method:
    scheduled = still({**SCALARS, "target_temperature": 0.04})
    queue = {"embedding_dim": 4, "queue_length": 9}
    return moved(ReSSL(**branches(), **queue, scheduled=scheduled, **settings))  # type: ignore[arg-type]


def simclr() -> Method:
    parts = branches()
    del parts["predictor"]
    return SimCLR(**parts, scheduled=still({"temperature": 0.2})).double()  # type: ignore[arg-type]


def some_views(num: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(5, 1, 2, 2, 2, dtype=torch.double, generator=generator) for _ in range(num)]


def two_views() -> list[Tensor]:
    return some_views(2)


def slow_info_nce(query: Tensor, keys: Tensor, positive: int, temperature: float, *, but: int = -1) -> float:
    shares = [math.exp(float((query @ key).detach()) / temperature) if j != but else 0.0 for j, key in enumerate(keys)]
    return -math.log(shares[positive] / sum(shares))


def test_others_values_of_the_losses() -> None:
    four = torch.arange(4)
    once = 2 * 0.2 * info_nce(QUERY, KEY, positive_index=four, temperature=0.2)  # MoCo v3, one direction
    assert float(once) == pytest.approx(0.006665050736615, abs=1e-14)
    views, own = torch.cat([QUERY, KEY]), torch.arange(8)
    both = info_nce(views, views, positive_index=own.roll(4), temperature=0.1, excluded_index=own)  # SimCLR's NT-Xent
    assert float(both) == pytest.approx(0.000310726116751, abs=1e-14)


def test_moco_v3_is_its_slow_loop() -> None:
    method, views = moco_v3(), two_views()
    queries, keys = ([encode(view) for view in views] for encode in (method.encode_query, method.encode_key))
    expected = 0.0
    for query, others in ((queries[0], keys[1]), (queries[1], keys[0])):
        expected += sum(2 * 0.2 * slow_info_nce(query[i], others, i, 0.2) / 5 for i in range(5))
    assert method(views, at=SCALARS).item() == pytest.approx(expected, rel=1e-12)


def test_moco_v2_is_its_slow_loop() -> None:
    method, views = moco_v2(), two_views()
    queries, keys = ([encode(view) for view in views] for encode in (method.encode_query, method.encode_key))
    expected = 0.0
    for query, others in ((queries[0], keys[1]), (queries[1], keys[0])):
        for i in range(5):
            expected += slow_info_nce(query[i], torch.cat([others[i : i + 1], method.queue.keys]), 0, 0.2) / 10
    assert method(views, at=SCALARS).item() == pytest.approx(expected, rel=1e-12)


def test_ressl_is_its_slow_loop() -> None:
    method, views = ressl(), two_views()
    queries, keys = ([encode(view) for view in views] for encode in (method.encode_query, method.encode_key))
    expected = 0.0
    for query, own_keys in ((queries[0], keys[1]), (queries[1], keys[0])):
        for i in range(5):
            relations = [math.exp(float(own_keys[i] @ past) / 0.04) for past in method.queue.keys]
            for j, relation in enumerate(relations):
                expected += relation / sum(relations) * slow_info_nce(query[i], method.queue.keys, j, 0.2) / 10
    assert method(views, at=RATES).item() == pytest.approx(expected, rel=1e-12)


def test_byol_is_two_less_twice_the_cosine() -> None:
    method, views = byol(), two_views()
    queries, keys = ([encode(view) for view in views] for encode in (method.encode_query, method.encode_key))
    cosines = [F.cosine_similarity(queries[0], keys[1]), F.cosine_similarity(queries[1], keys[0])]
    expected = sum((2 - 2 * cosine).mean() for cosine in cosines)
    torch.testing.assert_close(method(views, at=SCALARS), expected, rtol=1e-12, atol=0)


def test_simclr_is_its_slow_loop() -> None:
    method, views = simclr(), two_views()
    embeddings = torch.cat([F.normalize(method.projector(method.backbone(view)), dim=1) for view in views])
    expected = sum(slow_info_nce(embeddings[i], embeddings, (i + 5) % 10, 0.2, but=i) / 10 for i in range(10))
    assert method(views, at=SCALARS).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", [moco_v2, moco_v3, ressl, byol, simclr])
def test_order_of_the_views_does_not_matter(make) -> None:
    method, views = make(), two_views()
    torch.testing.assert_close(method(views, at=RATES), method(views[::-1], at=RATES), rtol=1e-12, atol=0)


@pytest.mark.parametrize("make", [moco_v2, moco_v3, ressl, byol])
def test_the_loss_of_more_views_is_the_mean_over_all_pairs(make) -> None:
    views = some_views(4)
    of_pairs = [float(make()(pair, at=RATES).detach()) for pair in combinations(views, 2)]
    assert max(of_pairs) > 1.1 * min(of_pairs)  # a wrong pairing would show
    loss = make(num_global_views=4)(views, at=RATES)
    assert loss.item() == pytest.approx(sum(of_pairs) / 6, rel=1e-12)


@pytest.mark.parametrize("make", [moco_v3, byol, simclr])
def test_methods_of_two_views_refuse_a_third(make) -> None:
    with pytest.raises(ValueError, match="there are 3 views; (MoCoV3|BYOL|SimCLR) takes 2$"):
        make()(some_views(3), at=RATES)


@pytest.mark.parametrize("make", [moco_v2, moco_v3, ressl, byol, simclr])
def test_the_online_branch_alone_learns(make) -> None:
    method = make()
    method(two_views(), at=RATES).backward()
    for name, parameter in method.named_parameters():
        assert (parameter.grad is None) == name.startswith("momentum"), name


@pytest.mark.parametrize("make", [moco_v2, moco_v3, ressl, byol])
def test_the_momentum_branch_follows_after_a_step(make) -> None:
    method = make()
    before = method.momentum_backbone.weight.clone()
    method(two_views(), at=RATES)
    assert torch.equal(method.momentum_backbone.weight, before)
    method.finish_step(at=SCALARS)
    expected = 0.9 * before + 0.1 * method.backbone.weight
    torch.testing.assert_close(method.momentum_backbone.weight, expected)


@pytest.mark.parametrize("scheduled", [{}, {"temperature": 0.1}, {**SCALARS, "coeff": 1.0}])
def test_missing_and_unknown_schedules_are_refused(scheduled: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="MoCoV3 has schedules for .*; it needs them for temperature, ema_momentum"):
        MoCoV3(**branches(), scheduled=still(scheduled))  # type: ignore[arg-type]


def test_a_temperature_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature is 0"):
        info_nce(QUERY, KEY, positive_index=torch.arange(4), temperature=0.0)
