"""Views for evaluation: deterministic clips, each with crops along its longer side."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sce_video.clips.decoders import DecodeError, VideoDecoder, VideoMetadata, Videos
from sce_video.clips.frames import ClipSpan, frame_indices, frame_times, strided_positions, uniform_positions
from sce_video.clips.samplers import evenly_spaced_spans, full_coverage_spans, half_overlapping_spans
from sce_video.clips.sizes import size_at_short_side

# So many clips are in memory at once as whole frames.
_CLIPS_AT_ONCE = 10


class ViewProtocol(NamedTuple):
    """Views of a video in evaluation; recorded with every result.

    `clips` is one of `CLIPS`; `num_clips` is for "evenly_spaced" only, the others (0) depend on the video's length.
    `frame_stride` 0 spaces a clip's frames evenly. The short side is resized to `resize_pixels`, with or without
    antialiasing, before squares of `size_pixels` are cropped; 0: to `size_pixels`.
    """

    num_clips: int
    clip_seconds: float
    num_frames: int
    num_crops: int
    size_pixels: int
    clips: str = "evenly_spaced"
    frame_stride: int = 0
    resize_pixels: int = 0
    antialiased_resize: bool = False


# (duration in seconds, protocol) -> the spans of a video that are used.
CLIPS: dict[str, Callable[[float, ViewProtocol], list[ClipSpan]]] = {
    "evenly_spaced": lambda seconds, protocol: evenly_spaced_spans(
        seconds, protocol.clip_seconds, num_clips=protocol.num_clips
    ),
    "half_overlapping": lambda seconds, protocol: half_overlapping_spans(seconds, protocol.clip_seconds),
    "full_coverage": lambda seconds, protocol: full_coverage_spans(seconds, protocol.clip_seconds),
}


class ResizedClips(NamedTuple):
    """All clips of one video before cropping, which is done on the device, or why it failed."""

    video: int
    clips: Tensor  # uint8 (clips, T, C, h, w), min(h, w) is at least the side of the crops; (0,) after a failure
    failure: str | None


class VideoDataset(Dataset[ResizedClips], ABC):
    """What is read of each video. One that cannot be decoded is reported, never replaced."""

    def __init__(self, videos: Videos) -> None:
        self._videos = videos

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, video: int) -> ResizedClips:
        try:
            with self._videos.open(video) as opened:
                return ResizedClips(video, self.read(opened), None)
        except DecodeError as error:
            return ResizedClips(video, torch.empty(0, dtype=torch.uint8), str(error))

    @abstractmethod
    def read(self, opened: VideoDecoder) -> Tensor:
        """Its clips."""


class ViewsDataset(VideoDataset):
    """Clips of each video, as a protocol says."""

    def __init__(self, videos: Videos, *, protocol: ViewProtocol) -> None:
        import_module("torchvision.transforms.v2.functional")  # once here instead of in each loader process
        super().__init__(videos)
        self._protocol = protocol

    def read(self, opened: VideoDecoder) -> Tensor:
        spans = CLIPS[self._protocol.clips](opened.metadata.duration_seconds, self._protocol)
        groups = [spans[i : i + _CLIPS_AT_ONCE] for i in range(0, len(spans), _CLIPS_AT_ONCE)]
        return torch.cat([self._clips_of(opened, group) for group in groups])

    def _clips_of(self, opened: VideoDecoder, spans: Sequence[ClipSpan]) -> Tensor:
        indices = [clip_indices(span, opened.metadata, self._protocol) for span in spans]
        return decoded_clips(opened, indices, self._protocol)


def clip_indices(span: ClipSpan, about: VideoMetadata, protocol: ViewProtocol) -> list[int]:
    """Indices of the frames of a clip."""
    stride = protocol.frame_stride
    return frame_indices(
        span,
        fps=about.fps,
        num_video_frames=about.num_frames,
        num_frames=protocol.num_frames,
        positions=partial(strided_positions, frame_stride=stride) if stride else uniform_positions,
    )


def decoded_clips(opened: VideoDecoder, clips: Sequence[Sequence[int]], protocol: ViewProtocol) -> Tensor:
    """Clips, decoded in one pass over the file and resized, uint8 (clips, T, C, h, w).

    Args:
        clips: indices of the frames of each.
    """
    indices = [index for clip in clips for index in clip]
    frames = opened.frames_at(frame_times(indices, fps=opened.metadata.fps))
    resized = resize_short_side(
        frames,
        size_pixels=protocol.resize_pixels or protocol.size_pixels,
        antialiased=protocol.antialiased_resize,
    )
    return resized.unflatten(0, (len(clips), protocol.num_frames))


def resize_short_side(frames: Tensor, *, size_pixels: int, antialiased: bool = False) -> Tensor:
    """Bilinear, antialiased where training is: uint8 (T, C, H, W) -> (T, C, h, w), min(h, w) = size_pixels."""
    from torchvision.transforms import InterpolationMode  # three seconds of every program's start
    from torchvision.transforms.v2 import functional as TF

    size = size_at_short_side(*frames.shape[-2:], short_side_pixels=size_pixels)
    return TF.resize(frames, list(size), interpolation=InterpolationMode.BILINEAR, antialias=antialiased)


def spatial_crops(clips: Tensor, *, num_crops: int, size_pixels: int = 0) -> Tensor:
    """Square crops of clips along their longer side, in the middle of the shorter one.

    Args:
        clips: (n, T, C, H, W), on any device.
        num_crops: 1 (center, at half the slack rounded up as in pytorchvideo and SlowFast) or 3 (left, center, right,
            or top, center, bottom).
        size_pixels: S, the side of the squares; 0: the shorter side.
    Returns:
        (n * num_crops, T, C, S, S), all crops of the first clip first.
    Raises:
        ValueError: another number of crops.
    """
    if num_crops not in (1, 3):
        raise ValueError(f"num_crops is {num_crops}; it must be 1 or 3")
    across, along = (-1, -2) if clips.shape[-2] > clips.shape[-1] else (-2, -1)
    side = size_pixels or clips.shape[across]
    clips = clips.narrow(across, _middle(clips.shape[across], side), side)
    slack, middle = clips.shape[along] - side, _middle(clips.shape[along], side)
    offsets = [middle] if num_crops == 1 else [0, middle, slack]
    return torch.stack([clips.narrow(along, offset, side) for offset in offsets], dim=1).flatten(0, 1)


def _middle(length: int, side: int) -> int:
    return (length - side + 1) // 2
