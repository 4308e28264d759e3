"""Solarization."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sce_video.augment.op import Drawn, Op, change

_THRESHOLD = 0.5


@dataclass(frozen=True)
class Solarize(Op):
    """Invert the values at or above one half."""

    def apply(self, views: Tensor, drawn: Drawn) -> None:
        change(views, drawn.videos, solarize)


def solarize(views: Tensor) -> Tensor:
    """Invert the values at or above one half."""
    return torch.where(views >= _THRESHOLD, 1 - views, views)
