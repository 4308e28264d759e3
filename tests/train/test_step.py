import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sce_video.augment.batch import PretrainBatch
from sce_video.methods.losses import sce_loss
from sce_video.methods.sce import SCE, SCERates
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.step import train_step

RATES = Rates(lr=0.5, method=SCERates(coeff=0.5, temperature=0.1, target_temperature=0.05, ema_momentum=0.9))
CPU = torch.device("cpu")


class Flat(nn.Linear):
    """A backbone of one layer without batch norm, so that parts of a batch do not see each other."""

    def forward(self, view: Tensor) -> Tensor:
        return super().forward(view.flatten(1))


def method() -> SCE:
    torch.manual_seed(0)
    return SCE(
        backbone=Flat(48, 16),
        projector=nn.Linear(16, 8),
        predictor=nn.Linear(8, 8),
        embedding_dim=8,
        queue_length=12,
        in_batch_keys=False,
    )


def batch(videos: list[int]) -> PretrainBatch:
    return PretrainBatch(videos=videos, views=[], failures=[])


def make_views(part: PretrainBatch) -> list[Tensor]:
    """Views as a function of the video number."""
    draws = [torch.randn(2, 3, 1, 4, 4, generator=torch.Generator().manual_seed(video)) for video in part.videos]
    return list(torch.stack(draws, dim=1))


def step(model: SCE, parts: list[PretrainBatch], *, precision: str = "fp32") -> Tensor:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.0)
    return train_step(model, parts, optimizer, rates=RATES, precision=Precision(precision, CPU), make_views=make_views)


def test_one_step_by_hand() -> None:
    model = method()
    before = copy.deepcopy(model)
    loss = step(model, [batch([0, 1, 2])])

    view_1, view_2 = make_views(batch([0, 1, 2]))

    def embed(view: Tensor) -> Tensor:
        return F.normalize(before.predictor(before.projector(before.backbone(view))), dim=1)

    keys = [F.normalize(before.projector(before.backbone(view)), dim=1).detach() for view in (view_1, view_2)]
    scalars = {"coeff": 0.5, "temperature": 0.1, "target_temperature": 0.05}
    expected = (
        sce_loss(embed(view_2), keys[0], before.queue.keys, **scalars)
        + sce_loss(embed(view_1), keys[1], before.queue.keys, **scalars)
    ) / 2
    assert torch.allclose(loss, expected)
    expected.backward()
    for name in ("backbone", "projector", "predictor"):
        old, new = before.get_submodule(name), model.get_submodule(name)
        assert torch.allclose(new.weight, old.weight - 0.5 * old.weight.grad, atol=1e-6)
    followed = 0.9 * before.backbone.weight + 0.1 * model.backbone.weight
    assert torch.allclose(model.momentum_backbone.weight, followed, atol=1e-6)
    assert torch.allclose(model.queue.keys[:6], torch.cat(keys), atol=1e-6)
    assert torch.equal(model.queue.keys[6:], before.queue.keys[6:])


def test_accumulated_parts_are_one_batch() -> None:
    whole, parts = method(), method()
    loss = step(whole, [batch([0, 1, 2, 3])])
    loss_of_parts = step(parts, [batch([0, 1]), batch([2, 3])])
    assert torch.allclose(loss, loss_of_parts)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, parts.state_dict()[name], atol=1e-6), name


def test_bf16_stays_close_and_its_loss_is_float32() -> None:
    loss, rough = step(method(), [batch([0, 1, 2])]), step(method(), [batch([0, 1, 2])], precision="bf16")
    assert rough.dtype == torch.float32
    assert loss != rough
    assert torch.allclose(loss, rough, rtol=0.05)
