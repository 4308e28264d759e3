"""What every decoder offers, whatever library reads the file."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol

import torch

from sce_video.clips.sizes import size_at_short_side
from sce_video.errors import PeerLostError, StoppedError, UserError
from sce_video.runtime.logging import LOGGER
from sce_video.special_files import SpecialFileError

# Past this a frame rate is the time base in disguise (1000 for millisecond stamps), not a camera's.
MAX_FPS = 240.0
# Past this a duration is damage, more likely: a week.
_MAX_SECONDS = 7 * 86_400.0
# For a video of one frame, or one without any time stamps, whose header says nothing either.
UNKNOWN_FPS = 25.0


class DecodeError(UserError):
    """A video that cannot be decoded; the message is one line: file and cause."""


@dataclass(frozen=True)
class VideoMetadata:
    """Facts of one video: all positive, and duration x fps within a frame or so of `num_frames`.

    Headers are off by a frame or two often enough: `num_frames` is what to sample from, not a promise. `height` and
    `width` are those of the frames handed out, after rotation. Pixels that are not square stay as stored.
    """

    duration_seconds: float
    fps: float
    num_frames: int
    height: int
    width: int


class CropRequest(NamedTuple):
    """Frames of one clip, and the rectangle that is wanted of each: (top, left, height, width), pixels."""

    times_seconds: Sequence[float]
    box: tuple[int, int, int, int]


class VideoDecoder(Protocol):
    """One open video, closed on leaving the `with`."""

    @property
    def metadata(self) -> VideoMetadata: ...

    def frames_at(self, times_seconds: Sequence[float]) -> torch.Tensor:
        """The frames on screen at the given times, uint8 (T, C, H, W), RGB.

        Time 0 is the first frame. On screen at t is the last frame, in the order in which the video plays from its
        start, that begins at or before t; before the first it is the first, past the end the last. Times may repeat
        and come in any order. The result is a view of (T, H, W, C) memory.

        Raises:
            DecodeError: the file is damaged on the way to a wanted frame.
            ValueError: no times, a time that is not a number, a video that is closed.
        """
        ...

    def crops_at(self, requests: Sequence[CropRequest]) -> list[torch.Tensor]:
        """As `frames_at` for several clips in one pass over the file, of each clip the crop that is wanted.

        Cheaper than to crop what `frames_at` gives: nothing else is copied.

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
    """A numbered collection of videos, whatever they are kept in."""

    def __len__(self) -> int: ...

    def open(self, video: int) -> AbstractContextManager[VideoDecoder]:
        """Open one for a `with`, which raises as `VideoOpener`."""
        ...


@contextmanager
def decode_errors(path: str | Callable[[], str], *, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Whatever is raised while a video is read is that video's `DecodeError`: one line with file, kind and cause.

    The one border of what is read: no list of exceptions holds all that libraries raise, or sizes that damage claims.
    So a mistake in this package looks like damage too: it is counted, its type is named, and the log has its traceback
    at level DEBUG. What is meant for the run passes: its own errors, signals, `passing`.
    """
    meant: tuple[type[Exception], ...] = (UserError, StoppedError, PeerLostError, *passing)
    try:
        yield
    except meant:
        raise
    except Exception as error:
        name = path if isinstance(path, str) else path()
        if isinstance(error, SpecialFileError):
            raise DecodeError(f"{name}: {error.strerror}") from error
        LOGGER.debug("%s: cannot be decoded", name, exc_info=True)
        cause = " ".join(str(error).split())[:300]
        raise DecodeError(f"{name}: cannot be decoded ({type(error).__name__}: {cause})") from error


def scaled_size(height: int, width: int, short_side_pixels: int) -> tuple[int, int]:
    """Height and width with the short side at most that many pixels; 0 leaves them as they are. Never larger."""
    if not 0 < short_side_pixels < min(height, width):
        return height, width
    return size_at_short_side(height, width, short_side_pixels=short_side_pixels)


def crops_of_frames(video: VideoDecoder, requests: Sequence[CropRequest]) -> list[torch.Tensor]:
    """`crops_at` by way of `frames_at`."""
    frames = video.frames_at([time for request in requests for time in request.times_seconds])
    clips = frames.split([len(request.times_seconds) for request in requests])
    boxes = [request.box for request in requests]
    return [
        clip[..., top : top + height, left : left + width]
        for clip, (top, left, height, width) in zip(clips, boxes, strict=True)
    ]


def check_times(times_seconds: Sequence[float]) -> None:
    """Refuse what has no answer: no times at all, or NaN among them."""
    if len(times_seconds) == 0:
        raise ValueError("times_seconds is empty; ask for at least one time")
    if any(map(math.isnan, times_seconds)):
        raise ValueError(f"times_seconds is {list(times_seconds)}; every time must be a number")


def is_consistent(duration_seconds: float, fps: float, num_frames: int) -> bool:
    """Whether the three describe one and the same plausible video."""
    is_plausible = 0 < duration_seconds <= _MAX_SECONDS and 0 < fps <= MAX_FPS
    return is_plausible and abs(num_frames - duration_seconds * fps) <= 1


def even_timing(num_frames: int, last_start_seconds: float) -> tuple[float, float, int]:
    """Duration in seconds, fps and number of frames, if the frames were equally long.

    Args:
        last_start_seconds: from the beginning of the first frame to that of the last; 0 if not known.
    """
    known = num_frames > 1 and last_start_seconds > 0
    fps = (num_frames - 1) / last_start_seconds if known else UNKNOWN_FPS
    return num_frames / fps, fps, num_frames
