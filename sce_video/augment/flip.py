"""Horizontal flip."""

from dataclasses import dataclass

from torch import Tensor

from sce_video.augment.op import Drawn, Op, change


@dataclass(frozen=True)
class Flip(Op):
    """Horizontal flip."""

    def apply(self, views: Tensor, drawn: Drawn) -> None:
        change(views, drawn.videos, flip)


def flip(views: Tensor) -> Tensor:
    """Mirror left and right."""
    return views.flip(-1)
