"""Decode a few frames of a sample of the videos, in loader processes that may die or hang on a damaged file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.clips.decoders import DecodeError, VideoMetadata, VideoOpener, Videos
from sce_video.data.videos import ListedVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.doctor.decode import silence_libraries
from sce_video.engine.machine import available_cores
from sce_video.engine.pool.workers import Workers
from sce_video.runtime.progress import progress_bar

MOST_SEEN = 200
# (height, width) of the maps that are compared, as in the floors of docs/results.md.
_MAP_SIZE = (24, 32)
_NUM_FRAMES, _SPAN_SECONDS = 5, 1.0
_TIMEOUT_SECONDS = 30.0  # per video, with one retry; a decoder may hang forever
_MOST_WORKERS = 16


class Seen(NamedTuple):
    """One video: its metadata, and gray maps (T, 24, 32) in [0, 255].

    The maps are of up to five different frames, evenly spread over its middle second.
    """

    seconds: float
    fps: float
    num_frames: int
    height: int
    width: int
    maps: Tensor

    @property
    def spacing_seconds(self) -> float:
        """Time from one map to the next."""
        return min(_SPAN_SECONDS, self.seconds) / len(self.maps)


@dataclass(frozen=True)
class Sample:
    """Videos by index in the list: what was seen of them, or why they cannot be decoded."""

    seen: dict[int, Seen]
    failures: dict[int, str]


def look_at(listed: ListedVideos) -> Sample:
    """Look at up to 200 videos, evenly spread over the list."""
    videos = sample_of(len(listed), most=MOST_SEEN)
    part = listed.part(videos, origin=listed.origin)
    workers = Workers(
        min(available_cores(), _MOST_WORKERS),
        num_items=len(part),
        timeout_seconds=_TIMEOUT_SECONDS,
        name=part.name,
    )
    watched = WatchedVideos(part.opened_by(VideoOpener("pyav")), workers)
    sample = Sample({}, {})
    with progress_bar(total=len(part), description="looking at videos", unit="video") as bar:
        for video, found in zip(videos, workers.results(partial(_look, watched), range(len(part))), strict=True):
            if isinstance(found, str):
                sample.failures[video] = found
            else:
                sample.seen[video] = Seen(*found)
            bar.update()
    return sample


def sample_of(num_videos: int, *, most: int) -> list[int]:
    """At most this many indices, evenly spread in pairs of neighbours: files of one recording follow each other."""
    if num_videos <= most:
        return list(range(num_videos))
    starts = [i * (num_videos - 2) // (most // 2 - 1) for i in range(most // 2)]
    return sorted({video for start in starts for video in (start, start + 1)})


def gray_maps(frames: Tensor) -> Tensor:
    """uint8 (T, C, H, W) -> float32 (T, 24, 32) in [0, 255]."""
    return torch.stack(
        [F.adaptive_avg_pool2d(frame.float().mean(dim=0, keepdim=True), _MAP_SIZE)[0] for frame in frames]
    )


def mean_difference(one: Tensor, other: Tensor) -> float:
    """Mean absolute difference of two maps, in gray levels."""
    return float((one - other).abs().mean())


def _look(videos: Videos, video: int) -> tuple[float, float, int, int, int, Tensor] | str:
    silence_libraries()
    try:
        with videos.open(video) as opened:
            about = opened.metadata
            maps = gray_maps(opened.frames_at(_times(about)))
    except DecodeError as error:
        return str(error)
    return about.duration_seconds, about.fps, about.num_frames, about.height, about.width, maps


def _times(about: VideoMetadata) -> Sequence[float]:
    """Of up to five different frames, evenly spread over the middle second; one if that shows a single frame."""
    span = min(_SPAN_SECONDS, about.duration_seconds)
    in_span = int(span * about.fps + 1e-3)  # but for rounding
    count = max(1, min(_NUM_FRAMES, about.num_frames, in_span))
    start = (about.duration_seconds - span) / 2
    return [start + span * (i + 0.5) / count for i in range(count)]
