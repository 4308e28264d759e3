"""What travels from the loader to the device, and how it becomes views there."""

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
    """One cropped clip and what is to be done with it."""

    clip: Tensor  # uint8 (T, C, H, W)
    successors: Tensor | None  # uint8 (T, C, H, W): the native frames after those of `clip`, for frame differences
    parameters: ViewParameters


class Failure(NamedTuple):
    """A video that could not be used, and why."""

    video: int
    reason: str


class VideoClips(NamedTuple):
    """A video's clips, one per view; none if it and all those chosen in its place failed.

    `video` is the one decoded, which differs from the one asked for after a failure.
    """

    video: int
    views: tuple[ClipForView, ...]
    failures: list[Failure]


class ClipBatch(NamedTuple):
    """The clips of one view of every video; see `apply_view` for the shapes."""

    clips: Tensor
    successors: Tensor
    parameters: ViewParameters


class TrainBatch(NamedTuple):
    videos: list[int]  # (B,)
    views: list[ClipBatch]  # V of them
    failures: list[Failure]


def collate(videos: Sequence[VideoClips]) -> TrainBatch:
    """Stack the clips of each view; one video without clips leaves the batch without views."""
    failures = [failure for video in videos for failure in video.failures]
    numbers = [video.video for video in videos]
    if not all(video.views for video in videos):
        return TrainBatch(numbers, [], failures)
    views = [_collate_view(clips) for clips in zip(*(video.views for video in videos), strict=True)]
    return TrainBatch(numbers, views, failures)


def _collate_view(clips: Sequence[ClipForView]) -> ClipBatch:
    stacked = _stacked([clip.clip for clip in clips])
    successors = [clip.successors for clip in clips if clip.successors is not None]
    return ClipBatch(
        clips=stacked,
        successors=_stacked(successors) if successors else stacked[:0],
        parameters=default_collate([clip.parameters for clip in clips]),
    )


def _stacked(clips: Sequence[Tensor]) -> Tensor:
    """(B, T, C, H, W), with the channels of a pixel side by side in memory, as they come out of the decoder.

    To turn them round is left to the device. Clips that lie one after the other in one memory are not copied.
    """
    last_first = [clip.movedim(1, -1) for clip in clips]  # (T, H, W, C)
    first = last_first[0]
    size = first.numel()  # bytes, too
    if all(_lies_at(clip, first, place * size) for place, clip in enumerate(last_first)):
        return first.as_strided((len(clips), *first.shape), (size, *first.stride())).movedim(-1, 2)
    return torch.stack(last_first).movedim(-1, 2)


def _lies_at(clip: Tensor, first: Tensor, num_bytes: int) -> bool:
    """Whether a clip as large as the first lies whole, so far behind the first, in the same memory."""
    is_one_memory = clip.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
    is_alike = clip.shape == first.shape and clip.is_contiguous() and first.is_contiguous()
    return is_one_memory and is_alike and clip.data_ptr() == first.data_ptr() + num_bytes


def make_views(batch: TrainBatch, *, specs: Sequence[ViewSpec], device: torch.device) -> list[Tensor]:
    """V float tensors (B, C, T, H, W) on the device, each of its own size and by its own recipe.

    Raises:
        ManifestError: the batch has no views: a video and all those chosen in its place failed.
    """
    if not batch.views:
        reasons = "; ".join(failure.reason for failure in batch.failures)
        raise ManifestError(f"a video and all those chosen in its place cannot be decoded: {reasons}")
    return [
        apply_view(
            view.clips.to(device, non_blocking=True).contiguous(),
            view.successors.to(device, non_blocking=True).contiguous(),
            view.parameters,
            spec.recipe,
        )
        for view, spec in zip(batch.views, specs, strict=True)
    ]
