"""Which pairs of views are compared and which keys are enqueued: others' values with many views, and slow loops."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sce_video.methods.moco_v2 import MoCoV2
from sce_video.methods.queue_method import QueueMethod
from sce_video.methods.ressl import ReSSL
from sce_video.methods.sce import SCE
from tests.methods.still import still
from tests.methods.waves import waves

pytestmark = pytest.mark.rounding

SCE_SCALARS = {"coeff": 0.5, "temperature": 0.1, "target_temperature": 0.05, "ema_momentum": 0.9}
MOCO_SCALARS = {"temperature": 0.2, "ema_momentum": 0.9}
RESSL_SCALARS = {"temperature": 0.1, "target_temperature": 0.04, "ema_momentum": 0.9}
SCALARS = {SCE: SCE_SCALARS, MoCoV2: MOCO_SCALARS, ReSSL: RESSL_SCALARS}


def given_embeddings(kind: type[QueueMethod], **settings: int) -> QueueMethod:
    """Of a view of 16 numbers the online branch takes the first 8, the momentum branch the others."""
    online = nn.Sequential(nn.Flatten(), nn.Linear(16, 8, bias=False))
    method = kind(
        backbone=online,
        projector=nn.Identity(),
        predictor=nn.Identity(),
        embedding_dim=8,
        queue_length=16,
        scheduled=still(SCALARS[kind]),
        **settings,
    ).double()
    with torch.no_grad():
        online[1].weight.copy_(torch.eye(16)[:8])
        method.momentum_backbone[1].weight.copy_(torch.eye(16)[8:])
        method.queue.keys.copy_(waves(16, 8, 1.0))
    return method


def view(query_phase: float, key_phase: float) -> Tensor:
    """(4, 1, 1, 4, 4)"""
    return torch.cat([waves(4, 8, query_phase), waves(4, 8, key_phase)], dim=1).reshape(4, 1, 1, 4, 4)


@pytest.mark.parametrize("views_together", [False, True])
@pytest.mark.parametrize(("in_batch_keys", "expected"), [(True, 1.796936044378561), (False, 1.795955271020565)])
def test_two_global_and_four_local_views_of_sce(in_batch_keys: bool, expected: float, views_together: bool) -> None:
    """Computed outside: the mean over ten pairs; queue only as in the paper (own key not among the relations)."""
    method = given_embeddings(SCE, in_batch_keys=in_batch_keys, views_together=views_together)
    views = [view(0.1 * t, 0.05 + 0.1 * t) for t in range(6)]
    assert method(views, at=SCE_SCALARS).item() == pytest.approx(expected, rel=1e-12)


def slow_sce(query: Tensor, keys: Tensor, own: int, queue: Tensor, *, in_batch_keys: bool) -> float:
    """Of one query, from the formula; candidate 0 is the own key."""
    others = [keys[j] for j in range(len(keys)) if j != own] if in_batch_keys else []
    candidates = [keys[own], *others, *queue]
    logits = [float(query @ each) / 0.1 for each in candidates]
    relations = [math.exp(float(keys[own] @ each) / 0.05) for each in candidates[1:]]
    targets = [0.5, *(0.5 * each / sum(relations) for each in relations)]
    log_sum = math.log(sum(map(math.exp, logits)))
    return sum(target * (log_sum - logit) for target, logit in zip(targets, logits, strict=True))


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("in_batch_keys", [True, False])
@pytest.mark.parametrize("num_local", [0, 2])
def test_three_global_views_of_sce_are_its_slow_loop(num_local: int, in_batch_keys: bool, symmetric: bool) -> None:
    method = given_embeddings(SCE, in_batch_keys=in_batch_keys, symmetric=symmetric, num_global_views=3)
    views = [view(0.1 * t, 0.05 + 0.1 * t) for t in range(3 + num_local)]
    losses = []
    for of, asking in product(range(3 if symmetric else 1), range(3 + num_local)):
        if of != asking:
            queries, keys = waves(4, 8, 0.1 * asking), waves(4, 8, 0.05 + 0.1 * of)
            queue = waves(16, 8, 1.0)
            losses += [slow_sce(queries[i], keys, i, queue, in_batch_keys=in_batch_keys) for i in range(4)]
    assert len(losses) == 4 * ((3 + num_local - 1) * 3 if symmetric else 2 + num_local)
    assert method(views, at=SCE_SCALARS).item() == pytest.approx(sum(losses) / len(losses), rel=1e-12)


@pytest.mark.parametrize(("kind", "expected"), [(MoCoV2, 0.607768004963805), (ReSSL, 0.996733398037298)])
def test_one_direction_of_the_baselines(kind: type[QueueMethod], expected: float) -> None:
    """Computed outside; the query of view 1 and the key of view 2 must not matter."""
    method = given_embeddings(kind, symmetric=False)
    for unseen in (0.7, 0.9):
        loss = method([view(unseen, 0.2), view(0.1, unseen)], at=SCALARS[kind])
        assert loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", [MoCoV2, ReSSL])
def test_the_symmetric_loss_is_the_mean_of_both_directions(kind: type[QueueMethod]) -> None:
    one_way, both_ways = given_embeddings(kind, symmetric=False), given_embeddings(kind)
    views = [view(0.1, 0.2), view(0.3, 0.5)]
    there, back = one_way(views, at=SCALARS[kind]), one_way(views[::-1], at=SCALARS[kind])
    assert abs(there - back) > 0.01  # a wrong pairing would show
    torch.testing.assert_close(both_ways(views, at=SCALARS[kind]), (there + back) / 2, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("num_global", "num_local"), [(2, 0), (2, 1), (3, 1)])
@pytest.mark.parametrize("symmetric", [True, False])
def test_keys_of_the_global_views_are_enqueued(symmetric: bool, num_global: int, num_local: int) -> None:
    method = given_embeddings(SCE, in_batch_keys=False, symmetric=symmetric, num_global_views=num_global)
    before = method.queue.keys.clone()
    views = [view(0.1 * t, 0.05 + 0.1 * t) for t in range(num_global + num_local)]
    method(views, at=SCE_SCALARS)
    method.finish_step(at=SCE_SCALARS)
    new = [waves(4, 8, 0.05), waves(4, 8, 0.15), waves(4, 8, 0.25)][: num_global if symmetric else 1]
    torch.testing.assert_close(method.queue.keys, torch.cat([*new, before[4 * len(new) :]]), rtol=1e-12, atol=1e-15)


class Pooled(nn.Module):
    """Views of any size -> 6 numbers."""

    def __init__(self, *, norm: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 6)
        self.norm = nn.BatchNorm1d(6) if norm else nn.Identity()

    def forward(self, views: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.linear(views.square().mean(dim=(2, 3, 4)))))


def pooled_sce(*, norm: bool, **settings: bool) -> SCE:
    torch.manual_seed(0)
    return SCE(
        backbone=Pooled(norm=norm),
        projector=nn.Linear(6, 4),
        predictor=nn.Linear(4, 4),
        embedding_dim=4,
        queue_length=8,
        in_batch_keys=False,
        scheduled=still(SCE_SCALARS),
        **settings,
    )


def views_of_three_sizes() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(2, 8, 8), (2, 8, 8), (1, 4, 4), (2, 6, 6), (1, 4, 4)]
    return [torch.randn(5, 3, *shape, generator=generator) * (index + 1) for index, shape in enumerate(shapes)]


def test_views_together_are_those_one_after_another_where_batch_norm_does_not_mix_them() -> None:
    apart, together = pooled_sce(norm=False), pooled_sce(norm=False, views_together=True)
    losses = [method(views_of_three_sizes(), at=SCE_SCALARS) for method in (apart, together)]
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(apart.backbone.linear.weight.grad, together.backbone.linear.weight.grad)


@pytest.mark.parametrize(("settings", "online", "momentum"), [({}, 5, 2), ({"views_together": True}, 3, 1)])
def test_batches_that_batch_norm_sees(settings: dict[str, bool], online: int, momentum: int) -> None:
    """One after another: five queries, two keys. Together: three sizes, one of the global views."""
    method = pooled_sce(norm=True, **settings)
    method(views_of_three_sizes(), at=SCE_SCALARS)
    assert int(method.backbone.norm.num_batches_tracked) == online
    assert int(method.momentum_backbone.norm.num_batches_tracked) == momentum


def test_the_view_of_the_only_key_is_no_query() -> None:
    method = pooled_sce(norm=True, symmetric=False)
    first, second, *_ = views_of_three_sizes()
    method([first, second], at=SCE_SCALARS)
    squares = second.square().mean(dim=(2, 3, 4))
    expected = 0.1 * F.linear(squares, method.backbone.linear.weight, method.backbone.linear.bias).mean(dim=0)
    torch.testing.assert_close(method.backbone.norm.running_mean, expected)


TEMPERATURES = {SCE: 0.1, MoCoV2: 0.2, ReSSL: 0.1}


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("kind", [SCE, MoCoV2, ReSSL])
def test_keys_of_other_times_are_negatives_of_their_own_video_where_there_are_any(
    kind: type[QueueMethod], symmetric: bool
) -> None:
    """A negative multiplies the sum of exp(logit) in every cross-entropy; videos 1 and 3 have none."""
    views, of_other_times = [view(0.1, 0.2), view(0.3, 0.5)], [view(0.0, 0.9), view(0.0, 1.3)]
    settings = {"symmetric": symmetric, **({"in_batch_keys": False} if kind is SCE else {})}
    losses = []
    for video in range(4):  # the loss of a batch is the mean over its videos
        plain = given_embeddings(kind, **settings)
        loss = plain([each[video : video + 1] for each in views], at=SCALARS[kind])
        pairs = [(0, 1), (1, 0)] if symmetric else [(0, 1)]
        for of, asking in pairs if video in (0, 2) else []:
            query, own = waves(4, 8, (0.1, 0.3)[asking])[video], waves(4, 8, (0.2, 0.5)[of])[video]
            candidates = [*([] if kind is ReSSL else [own]), *waves(16, 8, 1.0)]
            sums = [
                sum(math.exp(float(query @ each) / TEMPERATURES[kind]) for each in some)
                for some in (candidates, [*candidates, waves(4, 8, 0.9)[video], waves(4, 8, 1.3)[video]])
            ]
            loss += math.log(sums[1] / sums[0]) / len(pairs)
        losses.append(loss)
    method = given_embeddings(kind, num_negatives=2, **settings)
    has_negatives = torch.tensor([True, False, True, False])
    loss = method([*views, *of_other_times], at=SCALARS[kind], has_negatives=has_negatives)
    torch.testing.assert_close(loss, torch.stack(losses).mean(), rtol=1e-12, atol=0)
    loss.backward()
    assert all(each.grad.isfinite().all() for each in method.parameters() if each.requires_grad)
    relations = method.relations(method.compared, at=SCALARS[kind])
    one_way = given_embeddings(kind, num_negatives=2, **{**settings, "symmetric": False})
    expected = one_way([*views, *of_other_times], at=SCALARS[kind], has_negatives=has_negatives)
    torch.testing.assert_close(relations.loss(), expected, rtol=1e-12, atol=0)
    num_compared = torch.tensor([18.0, 16.0]) + (0 if kind is ReSSL else 1)  # with negatives, without
    torch.testing.assert_close(relations.chance_loss().float(), num_compared.log().mean())


def test_keys_of_other_times_are_not_enqueued_and_no_queries() -> None:
    with_negatives, without = (pooled_sce(norm=True, num_negatives=number) for number in (1, 0))
    views = views_of_three_sizes()[:2]
    for method, seen in ((with_negatives, [*views, views[0] + 1]), (without, views)):
        method(seen, at=SCE_SCALARS)
        method.finish_step(at=SCE_SCALARS)
    torch.testing.assert_close(with_negatives.queue.keys, without.queue.keys)
    assert int(with_negatives.backbone.norm.num_batches_tracked) == 2
    assert int(with_negatives.momentum_backbone.norm.num_batches_tracked) == 3


def test_other_numbers_of_views_are_refused() -> None:
    views = [view(0.1, 0.2)] * 3
    with pytest.raises(ValueError, match="there are 3 views; MoCoV2 takes 2$"):
        given_embeddings(MoCoV2)(views, at=MOCO_SCALARS)
    with pytest.raises(ValueError, match="there are 1 views; ReSSL takes 2 or more$"):
        given_embeddings(ReSSL)(views[:1], at=RESSL_SCALARS)
    with pytest.raises(ValueError, match="there are 3 views; SCE takes 4 or more$"):
        given_embeddings(SCE, in_batch_keys=True, num_global_views=4)(views, at=SCE_SCALARS)
    with pytest.raises(ValueError, match="there are 1 views; SCE takes 2 or more$"):
        given_embeddings(SCE, in_batch_keys=True, num_negatives=2)(views, at=SCE_SCALARS)
