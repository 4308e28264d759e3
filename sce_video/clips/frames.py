"""From a span to the frames that a clip keeps of it: pure index arithmetic, no video needed.

An index counts the video's own frames from 0; a *position* counts those inside the span.
"""

import math
from collections.abc import Sequence

from sce_video.clips.span import ClipSpan

# Starts are sums and quotients of floats: 0.1 s at 30 fps is frame 3.0000000000000004. Too small to move a real frame.
_ROUNDING_FRAMES = 1e-6


def frame_indices(span: ClipSpan, *, fps: float, num_video_frames: int, num_frames: int) -> list[int]:
    """Indices of `num_frames` frames spread over the span, in order; a span with fewer frames repeats some.

    The span holds the frames i with start <= i / fps < end. The kept positions are floor(linspace(0, n - 1,
    num_frames)) among those n, in exact arithmetic. Every index is in [0, num_video_frames - 1]: what reaches past
    the end is cut off, and a span without any frame gives the next one (the last one, past the end).

    Raises:
        ValueError: fps not positive, a count below 1.
    """
    first, count = _frames_inside(span, fps=fps, num_video_frames=num_video_frames)
    return [first + position for position in _spread(count, num_frames)]


def difference_pairs(
    span: ClipSpan, *, fps: float, num_video_frames: int, num_frames: int
) -> tuple[list[int], list[int]]:
    """Indices (a, b) of the frames whose difference I_a - I_b stands for each kept frame of the span.

    SCE's temporal difference is d_i = I_i - I_{i+1} over *all* n frames of the span, the last repeating d_{n-2}; only
    then `num_frames` are kept, as in `frame_indices`. So b = a + 1, one step of the video's own rate; with n = 1 there
    is no other frame and b = a.

    Raises:
        ValueError: as `frame_indices`.
    """
    first, count = _frames_inside(span, fps=fps, num_video_frames=num_video_frames)
    last = first + count - 1
    kept = [first + min(position, max(count - 2, 0)) for position in _spread(count, num_frames)]
    return kept, [min(index + 1, last) for index in kept]


def frame_times(indices: Sequence[int], *, fps: float) -> list[float]:
    """Seconds at which each frame is on screen: the middle of its interval, where no rounding shows a neighbour.

    Raises:
        ValueError: fps not positive.
    """
    _check_fps(fps)
    return [(index + 0.5) / fps for index in indices]


def _frames_inside(span: ClipSpan, *, fps: float, num_video_frames: int) -> tuple[int, int]:
    """First index and number (>= 1) of the video's frames inside the span."""
    _check_fps(fps)
    if num_video_frames < 1:
        raise ValueError(f"num_video_frames is {num_video_frames}; it must be at least 1")
    first = math.ceil(span.start_seconds * fps - _ROUNDING_FRAMES)
    stop = math.ceil(span.end_seconds * fps - _ROUNDING_FRAMES)
    first = min(max(first, 0), num_video_frames - 1)
    return first, max(min(stop, num_video_frames) - first, 1)


def _spread(count: int, num_frames: int) -> list[int]:
    """floor(linspace(0, count - 1, num_frames)), in integers."""
    if num_frames < 1:
        raise ValueError(f"num_frames is {num_frames}; it must be at least 1")
    return [i * (count - 1) // max(num_frames - 1, 1) for i in range(num_frames)]


def _check_fps(fps: float) -> None:
    if not (fps > 0 and math.isfinite(fps)):
        raise ValueError(f"fps is {fps}; it must be a positive number of frames per second")
