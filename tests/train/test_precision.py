import pytest
import torch
import torch.nn.functional as F

from sce_video.errors import UserError
from sce_video.train import precision
from sce_video.train.precision import Precision

pytestmark = pytest.mark.rounding

CPU = torch.device("cpu")


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision is 'fp8'; choose one of fp32, bf16, fp16"):
        Precision("fp8", CPU)


def test_only_fp16_scales_the_loss() -> None:
    assert [Precision(name, CPU).scaler.is_enabled() for name in ("fp32", "bf16", "fp16")] == [False, False, True]


def test_float32_needs_no_check() -> None:
    Precision("fp32", CPU).require_right_gradients()


def bf16_gradient_at_two_frames_is_right() -> bool:
    """By a module, an optimiser's eye view: the gradient of a temporal convolution over 2 frames."""
    torch.manual_seed(1)
    conv = torch.nn.Conv3d(16, 16, (3, 1, 1), padding=(1, 0, 0), bias=False)
    views = torch.randn(4, 16, 2, 8, 8)
    conv(views).square().sum().backward()
    exact = conv.weight.grad.clone()
    conv.weight.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        output = conv(views)
    output.float().square().sum().backward()
    return torch.allclose(conv.weight.grad, exact, atol=0.05 * exact.abs().max().item())


def test_the_verdict_on_bf16_is_that_of_a_training_step() -> None:
    """torch 2.11 and 2.15 on a CPU give garbage here; whichever torch runs this, the check must say so or pass."""
    if bf16_gradient_at_two_frames_is_right():
        Precision("bf16", CPU).require_right_gradients()
    else:
        with pytest.raises(UserError, match=r"TRAIN.PRECISION is bf16, but on this cpu .* wrong gradients.*use fp32"):
            Precision("bf16", CPU).require_right_gradients()


@pytest.mark.parametrize("damage", [lambda output: output * 1.1, lambda output: output * float("nan")])
def test_wrong_gradients_are_noticed(monkeypatch: pytest.MonkeyPatch, damage: object) -> None:
    """A convolution that is wrong under autocast only, as a bad library is."""
    conv3d = F.conv3d

    def broken(views: torch.Tensor, weight: torch.Tensor, padding: tuple[int, ...]) -> torch.Tensor:
        output = conv3d(views, weight, padding=padding)
        return damage(output) if output.dtype is torch.bfloat16 else output  # type: ignore[operator]

    monkeypatch.setattr(precision, "_NUM_FRAMES_TRIED", (1,))  # right everywhere
    Precision("bf16", CPU).require_right_gradients()
    monkeypatch.setattr(precision.F, "conv3d", broken)
    with pytest.raises(UserError, match="wrong gradients of 3D convolutions"):
        Precision("bf16", CPU).require_right_gradients()
