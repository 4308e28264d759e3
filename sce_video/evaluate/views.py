"""The views of evaluation: clips times crops along the longer side, nothing random."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from sce_video.clips.decoders import DecodeError, VideoDecoder, Videos
from sce_video.clips.frames import frame_indices, frame_times, strided_positions, uniform_positions
from sce_video.clips.samplers import evenly_spaced_spans, full_coverage_spans, half_overlapping_spans
from sce_video.clips.span import ClipSpan

# Whole frames of so many clips lie in memory together.
_CLIPS_AT_ONCE = 10


class ViewProtocol(NamedTuple):
    """How a video is seen in evaluation; stands beside every number.

    `clips` is one of `CLIPS`; only "evenly_spaced" has `num_clips` of them, the others (0) as many as a video needs.
    `frame_stride` 0 spreads a clip's frames evenly over it.
    """

    num_clips: int
    clip_seconds: float
    num_frames: int
    num_crops: int
    size_pixels: int
    clips: str = "evenly_spaced"
    frame_stride: int = 0


# Which spans of a video of so many seconds are seen.
CLIPS: dict[str, Callable[[float, ViewProtocol], list[ClipSpan]]] = {
    "evenly_spaced": lambda seconds, protocol: evenly_spaced_spans(
        seconds, protocol.clip_seconds, num_clips=protocol.num_clips
    ),
    "half_overlapping": lambda seconds, protocol: half_overlapping_spans(seconds, protocol.clip_seconds),
    "full_coverage": lambda seconds, protocol: full_coverage_spans(seconds, protocol.clip_seconds),
}


class VideoViews(NamedTuple):
    """All views of one video, or why there are none."""

    video: int
    views: Tensor  # uint8 (clips * num_crops, T, C, S, S); (0,) after a failure
    failure: str | None


class ViewsDataset(Dataset[VideoViews]):
    """All views of each video. A video that cannot be decoded is reported, never replaced."""

    def __init__(self, videos: Videos, *, protocol: ViewProtocol) -> None:
        self._videos = videos
        self._protocol = protocol

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, video: int) -> VideoViews:
        try:
            return VideoViews(video, self._views(video), None)
        except DecodeError as error:
            return VideoViews(video, torch.empty(0, dtype=torch.uint8), str(error))

    def _views(self, video: int) -> Tensor:
        with self._videos.open(video) as opened:
            spans = CLIPS[self._protocol.clips](opened.metadata.duration_seconds, self._protocol)
            groups = [spans[i : i + _CLIPS_AT_ONCE] for i in range(0, len(spans), _CLIPS_AT_ONCE)]
            return torch.cat([self._views_of(opened, group) for group in groups])

    def _views_of(self, opened: VideoDecoder, spans: Sequence[ClipSpan]) -> Tensor:
        """The views of some clips, decoded in one pass over the file, (clips * num_crops, T, C, S, S)."""
        protocol, about = self._protocol, opened.metadata
        stride = protocol.frame_stride
        positions = partial(strided_positions, frame_stride=stride) if stride else uniform_positions
        indices = [
            index
            for span in spans
            for index in frame_indices(
                span,
                fps=about.fps,
                num_video_frames=about.num_frames,
                num_frames=protocol.num_frames,
                positions=positions,
            )
        ]
        frames = opened.frames_at(frame_times(indices, fps=about.fps))
        crops = spatial_crops(frames, num_crops=protocol.num_crops, size_pixels=protocol.size_pixels)
        clips = torch.stack(crops).unflatten(1, (len(spans), protocol.num_frames))  # (crops, clips, T, C, S, S)
        return clips.transpose(0, 1).flatten(0, 1)


def spatial_crops(clip: Tensor, *, num_crops: int, size_pixels: int) -> list[Tensor]:
    """Resize the shorter side to `size_pixels`, then cut squares along the longer one.

    Args:
        clip: uint8 (T, C, H, W); the frames may be of several clips.
        num_crops: 1 (center) or 3 (left, center, right, or top, center, bottom).
    Returns:
        `num_crops` of uint8 (T, C, size_pixels, size_pixels).
    Raises:
        ValueError: another number of crops.
    """
    if num_crops not in (1, 3):
        raise ValueError(f"num_crops is {num_crops}; it must be 1 or 3")
    height, width = clip.shape[-2:]
    scale = size_pixels / min(height, width)
    size = [max(size_pixels, round(height * scale)), max(size_pixels, round(width * scale))]
    clip = TF.resize(clip, size, interpolation=InterpolationMode.BILINEAR, antialias=False)
    slack = [side - size_pixels for side in clip.shape[-2:]]  # one of the two is 0
    shares = (0.5,) if num_crops == 1 else (0.0, 0.5, 1.0)
    return [
        TF.crop(clip, round(slack[0] * share), round(slack[1] * share), size_pixels, size_pixels) for share in shares
    ]
