"""The protocol of all decoders, and what their implementations share."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol

import torch

from sce_video.clips.sizes import size_at_short_side
from sce_video.errors import PeerLostError, UserError
from sce_video.runtime.logging import LOGGER
from sce_video.special_files import SpecialFileError

# A higher frame rate is really a time base (1000 for timestamps in milliseconds).
MAX_FPS = 240.0
# A duration of more than a week is taken as damage.
_MAX_SECONDS = 7 * 86_400.0
# For a video of one frame or without timestamps, if its header has no rate either.
UNKNOWN_FPS = 25.0


class DecodeError(UserError):
    """A video that cannot be decoded; the message is one line: file and cause."""


@dataclass(frozen=True)
class VideoMetadata:
    """Metadata of one video: all positive, with duration x fps within about a frame of `num_frames`.

    Headers are often off by a frame or two: `num_frames` is good for sampling, but not exact. `height` and `width` are
    those of the returned frames, after rotation; non-square pixels are not corrected.
    """

    duration_seconds: float
    fps: float
    num_frames: int
    height: int
    width: int


class CropRequest(NamedTuple):
    """Times of a clip's frames, and the rectangle to crop from each: (top, left, height, width), pixels."""

    times_seconds: Sequence[float]
    box: tuple[int, int, int, int]


class VideoDecoder(Protocol):
    """One open video, closed on leaving the `with`."""

    @property
    def metadata(self) -> VideoMetadata: ...

    def frames_at(self, times_seconds: Sequence[float]) -> torch.Tensor:
        """The frames on screen at the given times, uint8 (T, C, H, W), RGB.

        Time 0 is the first frame. The frame on screen at t is the last one in playback order that begins at or before
        t; before the first frame it is the first, after the end the last. Times may repeat and be in any order. The
        result is a view of (T, H, W, C) memory.

        Raises:
            DecodeError: the file is damaged at or before a requested frame.
            ValueError: no times, a NaN, or a closed video.
        """
        ...

    def crops_at(self, requests: Sequence[CropRequest]) -> list[torch.Tensor]:
        """The crops of several clips in one pass over the file; raises as `frames_at`.

        Cheaper than cropping the result of `frames_at`, as only the crops are copied.

        Returns:
            For each request uint8 (T, C, height, width), a view of (T, H, W, C) memory.
        """
        ...

    def __enter__(self) -> "VideoDecoder": ...

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Videos(Protocol):
    """A collection of videos, opened by index."""

    def __len__(self) -> int: ...

    def open(self, video: int) -> AbstractContextManager[VideoDecoder]:
        """Open a video, as a context manager; raises as `VideoOpener`."""
        ...


@contextmanager
def decode_errors(path: str | Callable[[], str], *, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Convert any exception raised while a video is read to its `DecodeError`: one line with file, type and cause.

    The only place where they are converted: libraries raise all kinds of exceptions, and damaged files lead to absurd
    sizes. A bug in this package looks like damage too; its traceback is logged at level DEBUG. Errors that concern the
    run are not converted: UserError, PeerLostError and `passing`.
    """
    unchanged: tuple[type[Exception], ...] = (UserError, PeerLostError, *passing)
    try:
        yield
    except unchanged:
        raise
    except Exception as error:
        name = path if isinstance(path, str) else path()
        if isinstance(error, SpecialFileError):
            raise DecodeError(f"{name}: {error.strerror}") from error
        LOGGER.debug("%s: cannot be decoded", name, exc_info=True)
        cause = " ".join(str(error).split())[:300]
        raise DecodeError(f"{name}: cannot be decoded ({type(error).__name__}: {cause})") from error


def scaled_size(height: int, width: int, short_side_pixels: int) -> tuple[int, int]:
    """(height, width) scaled down to a short side of at most `short_side_pixels`; 0 keeps the size."""
    if not 0 < short_side_pixels < min(height, width):
        return height, width
    return size_at_short_side(height, width, short_side_pixels=short_side_pixels)


def crops_of_frames(video: VideoDecoder, requests: Sequence[CropRequest]) -> list[torch.Tensor]:
    """`crops_at` implemented with `frames_at`."""
    frames = video.frames_at([time for request in requests for time in request.times_seconds])
    clips = frames.split([len(request.times_seconds) for request in requests])
    boxes = [request.box for request in requests]
    return [
        clip[..., top : top + height, left : left + width]
        for clip, (top, left, height, width) in zip(clips, boxes, strict=True)
    ]


def check_times(times_seconds: Sequence[float]) -> None:
    """Raises ValueError if there are no times, or a NaN."""
    if len(times_seconds) == 0:
        raise ValueError("times_seconds is empty; give at least one time")
    if any(map(math.isnan, times_seconds)):
        raise ValueError(f"times_seconds is {list(times_seconds)}; every time must be a number")


def is_consistent(duration_seconds: float, fps: float, num_frames: int) -> bool:
    """Whether duration, frame rate and number of frames are plausible and agree."""
    is_plausible = 0 < duration_seconds <= _MAX_SECONDS and 0 < fps <= MAX_FPS
    return is_plausible and abs(num_frames - duration_seconds * fps) <= 1


def even_timing(num_frames: int, last_start_seconds: float) -> tuple[float, float, int]:
    """(duration in seconds, fps, number of frames), assuming frames of equal length.

    Args:
        last_start_seconds: start of the last frame after that of the first; 0 if unknown.
    """
    known = num_frames > 1 and last_start_seconds > 0
    fps = (num_frames - 1) / last_start_seconds if known else UNKNOWN_FPS
    return num_frames / fps, fps, num_frames
