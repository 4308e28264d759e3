import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sce_video.augment.batch import TrainBatch
from sce_video.methods.losses import sce_loss
from sce_video.methods.sce import SCE
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.step import Supervision, finetune_step, pretrain_step
from tests.methods.still import still

pytestmark = pytest.mark.rounding

RATES = Rates(lr=0.5, method={"coeff": 0.5, "temperature": 0.1, "target_temperature": 0.05, "ema_momentum": 0.9})
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
        scheduled=still(RATES.method),
    )


def batch(videos: list[int]) -> TrainBatch:
    return TrainBatch(videos=videos, views=[], failures=[])


def make_views(part: TrainBatch) -> list[Tensor]:
    """Views as a function of the video number."""
    draws = [torch.randn(2, 3, 1, 4, 4, generator=torch.Generator().manual_seed(video)) for video in part.videos]
    return list(torch.stack(draws, dim=1))


def step(model: SCE, parts: list[TrainBatch], *, precision: str = "fp32") -> Tensor:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.0)
    return pretrain_step(
        parts,
        RATES,
        replica=model,
        optimizer=optimizer,
        precision=Precision(precision, CPU),
        make_views=make_views,
    )


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


def classifier() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(Flat(48, 16), nn.Dropout(0.5), nn.Linear(16, 3))


def finetune(
    model: nn.Module,
    parts: list[TrainBatch],
    *,
    step: int = 7,
    groups: list[dict[str, object]] | None = None,
    **soft: float,
) -> Tensor:
    """One step at learning rate 0.5 on videos whose label is their number modulo 3."""
    settings = {"label_smoothing": 0.0, "mixup_alpha": 0.0, **soft}
    return finetune_step(
        parts,
        Rates(lr=0.5, method=None),
        step=step,
        seed=0,
        replica=model,
        optimizer=torch.optim.SGD(groups or [{"params": list(model.parameters())}], lr=0.0),
        precision=Precision("fp32", CPU),
        make_views=lambda part: make_views(part)[:1],
        supervision=Supervision(torch.arange(9) % 3, num_classes=3, **settings),
    )


def test_one_step_of_finetuning_by_hand() -> None:
    model = classifier().eval()  # without dropout
    before = copy.deepcopy(model)
    loss = finetune(model, [batch([4, 5, 0])])
    expected = F.cross_entropy(before(make_views(batch([4, 5, 0]))[0]), torch.tensor([1, 2, 0]))
    torch.testing.assert_close(loss, expected.detach())
    expected.backward()
    for old, new in zip(before.parameters(), model.parameters(), strict=True):
        assert torch.allclose(new, old - 0.5 * old.grad, atol=1e-6)


def test_accumulated_parts_of_finetuning_are_one_batch() -> None:
    whole, parts = classifier().eval(), classifier().eval()
    torch.testing.assert_close(finetune(whole, [batch([0, 1, 2, 3])]), finetune(parts, [batch([0, 1]), batch([2, 3])]))
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, parts.state_dict()[name], atol=1e-6), name


def test_label_smoothing_is_spread_over_all_classes() -> None:
    """Mean of -sum(target * log p), target 0.9 on the label and 0.1 / 3 more on each class, written out."""
    model = classifier().eval()
    logs = F.log_softmax(model(make_views(batch([1, 2]))[0]), dim=1).tolist()
    expected = -sum((0.9 * row[label] + 0.1 / 3 * sum(row)) for row, label in zip(logs, (1, 2), strict=True)) / 2
    loss = finetune(model, [batch([1, 2])], label_smoothing=0.1)
    assert abs(loss.item() - expected) < 1e-5


@pytest.mark.parametrize("mixup_alpha", [0.0, 0.8])
def test_dropout_and_mixup_are_functions_of_the_step(mixup_alpha: float) -> None:
    losses = []
    for step in (3, 3, 4):
        model = classifier().train()
        torch.manual_seed(100 + len(losses))  # what was drawn before does not matter
        losses.append(finetune(model, [batch([0, 1, 2, 3])], step=step, mixup_alpha=mixup_alpha).item())
    assert losses[0] == losses[1] != losses[2]


def test_a_group_takes_its_share_of_the_learning_rate() -> None:
    model = classifier().eval()
    before = copy.deepcopy(model)
    slow, fast = model[0], model[2]
    groups = [
        {"params": list(slow.parameters()), "lr_share": 0.1},
        {"params": list(fast.parameters()), "lr_share": 1.0},
    ]
    finetune(model, [batch([0, 1, 2])], groups=groups)
    F.cross_entropy(before(make_views(batch([0, 1, 2]))[0]), torch.tensor([0, 1, 2])).backward()
    for layer, lr in ((0, 0.05), (2, 0.5)):
        moved = before[layer].weight - lr * before[layer].weight.grad
        assert torch.allclose(model[layer].weight, moved, atol=1e-6)
