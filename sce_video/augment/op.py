"""What an augmentation is: numbers drawn per video on the CPU, and what they do to a batch on the device."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Drawn(NamedTuple):
    """What was drawn for the n videos of a batch that an op acts on; on the CPU."""

    videos: Tensor  # int64 (n,): their indices, rising
    numbers: Tensor  # float (n, k): one in each of the op's ranges
    order: Tensor  # int64 (n, 4): for what acts in a random order


@dataclass(frozen=True)
class Op(ABC):
    """An augmentation, which acts on a video with `probability`, on all frames of its clip alike."""

    probability: float

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Of the numbers that are drawn for each video, uniform; none by default."""
        return ()

    @abstractmethod
    def apply(self, views: Tensor, drawn: Drawn) -> None:
        """Change the videos that `drawn` names, in place; views are float (B, C, T, H, W) in [0, 1]."""


def change(views: Tensor, videos: Tensor, function: Callable[..., Tensor], *numbers: Tensor) -> None:
    """Replace those videos (indices) by `function(them, *numbers)`; one channel becomes three."""
    if len(videos):
        index = send(videos, views.device)
        part = views[index]
        views[index] = function(part, *(send(each, views.device) for each in numbers)).expand_as(part)


def send(values: Tensor, device: torch.device) -> Tensor:
    """A small CPU tensor to the device; from pinned memory, so that the CPU need not wait for the GPU."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)
