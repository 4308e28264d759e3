"""What travels from the loader to the device, and how it becomes views there."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from sce_video.augment.apply import apply_view
from sce_video.augment.draw import ViewParameters
from sce_video.augment.recipes import ViewRecipe


class ClipForView(NamedTuple):
    """One cropped clip and what is to be done with it."""

    clip: Tensor  # uint8 (T, C, H, W)
    successors: Tensor | None  # uint8 (T, C, H, W): the native frames after those of `clip`, for frame differences
    parameters: ViewParameters


class Failure(NamedTuple):
    """A video that could not be used, and why."""

    video: int
    reason: str


class PretrainSample(NamedTuple):
    """A video's clips, one per view. `video` is the one decoded, which differs from the asked one after a failure."""

    video: int
    views: tuple[ClipForView, ...]
    failures: list[Failure]


class ClipBatch(NamedTuple):
    """The clips of one view of every video; see `apply_view` for the shapes."""

    clips: Tensor
    successors: Tensor
    parameters: ViewParameters


class PretrainBatch(NamedTuple):
    videos: list[int]  # (B,)
    views: list[ClipBatch]  # V of them
    failures: list[Failure]


def collate(samples: Sequence[PretrainSample]) -> PretrainBatch:
    views = [_collate_view(clips) for clips in zip(*(sample.views for sample in samples), strict=True)]
    failures = [failure for sample in samples for failure in sample.failures]
    return PretrainBatch([sample.video for sample in samples], views, failures)


def _collate_view(clips: Sequence[ClipForView]) -> ClipBatch:
    stacked = torch.stack([clip.clip for clip in clips])
    successors = [clip.successors for clip in clips if clip.successors is not None]
    return ClipBatch(
        clips=stacked,
        successors=torch.stack(successors) if successors else stacked[:0],
        parameters=default_collate([clip.parameters for clip in clips]),
    )


def make_views(batch: PretrainBatch, *, recipes: Sequence[ViewRecipe], device: torch.device) -> list[Tensor]:
    """V float tensors (B, C, T, H, W) on the device, each by its own recipe."""
    return [
        apply_view(
            view.clips.to(device, non_blocking=True),
            view.successors.to(device, non_blocking=True),
            view.parameters,
            recipe,
        )
        for view, recipe in zip(batch.views, recipes, strict=True)
    ]
