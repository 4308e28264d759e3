"""Conversion to grayscale."""

from dataclasses import dataclass

from torch import Tensor

from sce_video.augment.op import Drawn, Op, change

_GRAY_WEIGHTS = (0.2989, 0.587, 0.114)  # torchvision's


@dataclass(frozen=True)
class Grayscale(Op):
    """Grayscale, as three equal channels."""

    def apply(self, views: Tensor, drawn: Drawn) -> None:
        change(views, drawn.videos, grayscale)


def grayscale(views: Tensor) -> Tensor:
    """Luma of RGB views: (B, 3, T, H, W) -> (B, 1, T, H, W)."""
    red, green, blue = views.unbind(1)
    gray = _GRAY_WEIGHTS[0] * red
    gray += _GRAY_WEIGHTS[1] * green  # in place: memory of this size is slow to get
    gray += _GRAY_WEIGHTS[2] * blue
    return gray.unsqueeze(1)
