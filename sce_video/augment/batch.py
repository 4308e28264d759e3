"""Batches of clips with augmentation parameters, as the loader sends them, and their views on the device."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from sce_video.augment.apply import apply_view
from sce_video.augment.draw import ViewParameters
from sce_video.augment.recipes import ViewSpec
from sce_video.errors import ManifestError


class ClipForView(NamedTuple):
    """One cropped clip and the augmentation parameters of its view."""

    clip: Tensor  # uint8 (T, C, H, W)
    successors: Tensor | None  # uint8 (T, C, H, W): the native frames after those of `clip`, for frame differences
    parameters: ViewParameters


class Failure(NamedTuple):
    """Index of a video that could not be decoded, and why."""

    video: int
    reason: str


class VideoClips(NamedTuple):
    """A video's clips, one per view; none if the video and all its replacements failed.

    `video` is the index of the decoded video: the requested one or a replacement. `has_negatives`: whether the clips of
    its negative views overlap none of the others; a short video has no room for them.
    """

    video: int
    views: tuple[ClipForView, ...]
    failures: list[Failure]
    has_negatives: bool = False


class ClipBatch(NamedTuple):
    """The clips of one view of every video; see `apply_view` for the shapes."""

    clips: Tensor
    successors: Tensor
    parameters: ViewParameters


class TrainBatch(NamedTuple):
    """`has_negatives` (see `VideoClips`) is empty where no data set of videos made the batch."""

    videos: list[int]  # (B,)
    views: list[ClipBatch]  # V of them
    failures: list[Failure]
    has_negatives: Tensor = torch.zeros(0, dtype=torch.bool)  # (B,)


def collate(videos: Sequence[VideoClips]) -> TrainBatch:
    """Stack the clips of each view; if one video has no clips, the batch has no views."""
    failures = [failure for video in videos for failure in video.failures]
    numbers = [video.video for video in videos]
    if not all(video.views for video in videos):
        return TrainBatch(numbers, [], failures)
    views = [_collate_view(clips) for clips in zip(*(video.views for video in videos), strict=True)]
    return TrainBatch(numbers, views, failures, torch.tensor([video.has_negatives for video in videos]))


def _collate_view(clips: Sequence[ClipForView]) -> ClipBatch:
    stacked = _stacked([clip.clip for clip in clips])
    successors = [clip.successors for clip in clips if clip.successors is not None]
    return ClipBatch(
        clips=stacked,
        successors=_stacked(successors) if successors else stacked[:0],
        parameters=default_collate([clip.parameters for clip in clips]),
    )


def _stacked(clips: Sequence[Tensor]) -> Tensor:
    """Stack clips to (B, T, C, H, W), channels last in memory, as decoders return them.

    The device makes them contiguous. Clips that are adjacent in one storage are not copied.
    """
    last_first = [clip.movedim(1, -1) for clip in clips]  # (T, H, W, C)
    first = last_first[0]
    size = first.numel()  # also in bytes, as they are uint8
    if all(_is_at_offset(clip, first, index * size) for index, clip in enumerate(last_first)):
        return first.as_strided((len(clips), *first.shape), (size, *first.stride())).movedim(-1, 2)
    return torch.stack(last_first).movedim(-1, 2)


def _is_at_offset(clip: Tensor, first: Tensor, num_bytes: int) -> bool:
    """Whether a clip has the shape and storage of the first one and starts `num_bytes` after it."""
    is_one_storage = clip.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
    is_alike = clip.shape == first.shape and clip.is_contiguous() and first.is_contiguous()
    return is_one_storage and is_alike and clip.data_ptr() == first.data_ptr() + num_bytes


def make_views(batch: TrainBatch, *, specs: Sequence[ViewSpec], device: torch.device) -> list[Tensor]:
    """V views, float (B, C, T, H, W) on the device, each of its own size and recipe.

    Raises:
        ManifestError: the batch has no views: a video and all its replacements failed.
    """
    if not batch.views:
        reasons = "; ".join(failure.reason for failure in batch.failures)
        raise ManifestError(f"a video and all its replacements cannot be decoded: {reasons}")
    return [
        apply_view(
            view.clips.to(device, non_blocking=True).contiguous(),
            view.successors.to(device, non_blocking=True).contiguous(),
            view.parameters,
            spec.recipe,
        )
        for view, spec in zip(batch.views, specs, strict=True)
    ]
