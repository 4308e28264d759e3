"""Losses kept on the device until they are logged."""

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
    """Losses since the last call of `mean`, which alone synchronises with the device and the other ranks.

    Args:
        name_video: path of a video by its index.
    """

    def __init__(self, name_video: Callable[[int], object]) -> None:
        self._name_video = name_video
        self._steps: list[_Step] = []

    def add(self, step: int, loss: Tensor, *, lr: float, videos: Sequence[int]) -> None:
        """Args: loss: a scalar on the device."""
        self._steps.append(_Step(step, loss, lr, list(videos)))

    def mean(self) -> float:
        """Mean over all ranks of the losses added since the last call; at least one is needed.

        Raises:
            NonFiniteLossError: a loss is not finite; names its step, learning rate and videos.
        """
        steps, self._steps = self._steps, []
        losses: list[float] = mean_over_ranks(torch.stack([step.loss for step in steps])).tolist()
        for index, (step, loss) in enumerate(zip(steps, losses, strict=True)):
            if not math.isfinite(loss):
                videos = [video for of_rank in all_gathered(step.videos) for video in of_rank]
                names = ", ".join(str(self._name_video(video)) for video in videos)
                raise NonFiniteLossError(
                    f"the loss is {loss} at step {step.step} with learning rate {step.lr:.6g}; lower OPTIM.BASE_LR or "
                    f"change TRAIN.PRECISION; the step's videos: {names}",
                    [(each.step, value) for each, value in zip(steps[: index + 1], losses, strict=False)],
                )
        return sum(losses) / len(losses)
