"""Losses on their way from the device to the log."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sce_video.engine.cluster.collectives import all_gathered, mean_over_ranks
from sce_video.errors import NonFiniteLossError


class _Step(NamedTuple):
    step: int
    loss: Tensor
    lr: float
    videos: list[int]


class PendingLosses:
    """Holds the losses since the last look, so that only a look waits for the device, and for the other ranks.

    Args:
        name_video: gives a video's path.
    """

    def __init__(self, name_video: Callable[[int], object]) -> None:
        self._name_video = name_video
        self._steps: list[_Step] = []

    def add(self, step: int, loss: Tensor, *, lr: float, videos: Sequence[int]) -> None:
        """Args: loss: a scalar on the device."""
        self._steps.append(_Step(step, loss, lr, list(videos)))

    def mean(self) -> float:
        """Mean of the losses added since the last call, on all ranks; there must be some.

        Raises:
            NonFiniteLossError: one is not finite; names its step, learning rate and videos.
        """
        steps, self._steps = self._steps, []
        losses: list[float] = mean_over_ranks(torch.stack([step.loss for step in steps])).tolist()
        for step, loss in zip(steps, losses, strict=True):
            if not math.isfinite(loss):
                videos = [video for of_rank in all_gathered(step.videos) for video in of_rank]
                names = ", ".join(str(self._name_video(video)) for video in videos)
                raise NonFiniteLossError(
                    f"the loss is {loss} at step {step.step} with learning rate {step.lr:.6g}; lower OPTIM.BASE_LR or "
                    f"use another TRAIN.PRECISION; the step's videos: {names}"
                )
        return sum(losses) / len(losses)
