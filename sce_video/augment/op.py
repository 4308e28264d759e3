"""Base class of augmentation ops: numbers drawn per video on the CPU, applied to a batch on the device."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Drawn(NamedTuple):
    """Draws for the n videos of a batch that an op acts on; on the CPU."""

    videos: Tensor  # int64 (n,): their indices in the batch, ascending
    numbers: Tensor  # float (n, k): one per range of the op
    order: Tensor  # int64 (n, 4): permutations, for ops that act in a random order


@dataclass(frozen=True)
class Op(ABC):
    """An augmentation that acts on a video with `probability`, on all frames of its clip alike."""

    probability: float

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Ranges of the uniform numbers that are drawn per video; none by default."""
        return ()

    @abstractmethod
    def apply(self, views: Tensor, drawn: Drawn) -> None:
        """Change `drawn.videos` of the views, float (B, C, T, H, W) in [0, 1], in place."""


def change(views: Tensor, videos: Tensor, function: Callable[..., Tensor], *numbers: Tensor) -> None:
    """Replace views[videos] by `function(views[videos], *numbers)`, in place; one channel is expanded to three."""
    if len(videos):
        index = send(videos, views.device)
        part = views[index]
        views[index] = function(part, *(send(each, views.device) for each in numbers)).expand_as(part)


def send(values: Tensor, device: torch.device) -> Tensor:
    """Copy a small CPU tensor to the device; from pinned memory, so that the CPU does not wait for the GPU."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)
