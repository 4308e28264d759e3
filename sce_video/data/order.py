"""Which videos make up the batch of an optimiser step: those of one list, or of a list of videos and one of images."""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from sce_video.errors import ConfigError, ManifestError
from sce_video.runtime.seeds import generator_from


@lru_cache(maxsize=2)  # every step of an epoch uses it; joint pretraining has two lists
def epoch_order(num_videos: int, *, seed: int, epoch: int) -> Tensor:
    """Shuffled indices of the videos of an epoch, int64 (num_videos,)."""
    return torch.randperm(num_videos, generator=generator_from(seed, "order", epoch))


class Order(Protocol):
    """The batch of every optimiser step, a function of the step alone."""

    @property
    def batch_size(self) -> int: ...

    @property
    def steps_per_epoch(self) -> int: ...

    def batch(self, step: int) -> tuple[int, Tensor]:
        """How often the list of this batch was used up before, and the indices of its videos, int64 (batch_size,)."""
        ...


@dataclass(frozen=True)
class ListOrder:
    """One list, epoch after epoch in a new order; an incomplete last batch is left out.

    Args:
        num_videos: of the list.
        seed: of the orders.
        first: index of the list's first video.
        noun: what its videos are called in messages.
    Raises:
        ManifestError: fewer videos than one batch.
    """

    num_videos: int
    batch_size: int
    seed: int
    first: int = 0
    noun: str = "videos"

    def __post_init__(self) -> None:
        if self.steps_per_epoch == 0:
            raise ManifestError(
                f"there are {self.num_videos} {self.noun}, fewer than TRAIN.GLOBAL_BATCH_SIZE {self.batch_size}; "
                "lower it"
            )

    @property
    def steps_per_epoch(self) -> int:
        return self.num_videos // self.batch_size

    def batch(self, step: int) -> tuple[int, Tensor]:
        epoch, index = divmod(step, self.steps_per_epoch)
        order = epoch_order(self.num_videos, seed=self.seed, epoch=epoch)
        return epoch, self.first + order[index * self.batch_size : (index + 1) * self.batch_size]


@dataclass(frozen=True)
class JointOrder:
    """Batches of videos and, spread evenly among them, batches of images; each of one kind.

    An epoch is one epoch of the videos, with the steps of images in between; images go on where the epoch before
    stopped. After n steps of an epoch floor(n * image_share) were of images.

    Args:
        image_share: of the steps, in (0, 1).
    Raises:
        ConfigError: the share is so small that there is no step of images.
    """

    videos: ListOrder
    images: ListOrder
    image_share: Fraction

    def __post_init__(self) -> None:
        if self.num_image_steps == 0:
            raise ConfigError(
                f"DATA.IMAGE_SHARE is {float(self.image_share):g}: beside {self.videos.steps_per_epoch} steps of "
                "videos in an epoch there would be none of images; raise it"
            )

    @property
    def batch_size(self) -> int:
        return self.videos.batch_size

    @property
    def steps_per_epoch(self) -> int:
        return self.videos.steps_per_epoch + self.num_image_steps

    @property
    def num_image_steps(self) -> int:
        """Of an epoch."""
        return image_steps(self.videos.steps_per_epoch, self.image_share)

    def batch(self, step: int) -> tuple[int, Tensor]:
        epoch, index = divmod(step, self.steps_per_epoch)
        num_before = math.floor(index * self.image_share)  # of images
        if math.floor((index + 1) * self.image_share) > num_before:
            return self.images.batch(epoch * self.num_image_steps + num_before)
        return self.videos.batch(epoch * self.videos.steps_per_epoch + index - num_before)


def image_steps(video_steps: int, image_share: Fraction) -> int:
    """The steps of images that come with these steps of videos, so that they are `image_share` of all, rounded down."""
    return math.floor(video_steps / (1 - image_share)) - video_steps
