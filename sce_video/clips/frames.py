"""Spans of a video that become clips, and the frames kept of them: index arithmetic, no video needed.

An *index* counts the frames of the video from 0, a *position* those inside the span. `Positions` chooses the positions
to keep: `uniform_positions`, or another one below with its settings bound by `functools.partial`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

# Starts are sums and quotients of floats: 0.1 s at 30 fps is frame 3.0000000000000004. Too small to move a real frame.
_ROUNDING_FRAMES = 1e-6

Positions = Callable[[int, int], list[int]]  # (count, num_frames) -> num_frames positions in [0, count - 1]


@dataclass(frozen=True)
class ClipSpan:
    """The part [start, start + duration) of a video, in seconds since its first frame."""

    start_seconds: float
    duration_seconds: float

    @property
    def end_seconds(self) -> float:
        """Not part of the span."""
        return self.start_seconds + self.duration_seconds


def uniform_positions(count: int, num_frames: int) -> list[int]:
    """floor(linspace(0, count - 1, num_frames)), in exact arithmetic: both ends are kept.

    Raises:
        ValueError: a count below 1.
    """
    _check_counts(count, num_frames)
    return [i * (count - 1) // max(num_frames - 1, 1) for i in range(num_frames)]


def strided_positions(count: int, num_frames: int, *, frame_stride: int) -> list[int]:
    """0, frame_stride, 2 frame_stride, ...; after the span's end, its last frame.

    Raises:
        ValueError: a count or `frame_stride` below 1.
    """
    _check_counts(count, num_frames)
    if frame_stride < 1:
        raise ValueError(f"frame_stride is {frame_stride}; it must be at least 1")
    return [min(i * frame_stride, count - 1) for i in range(num_frames)]


def jittered_positions(count: int, num_frames: int, *, generator: torch.Generator) -> list[int]:
    """A uniformly random frame of each of `num_frames` bins (TSN, arXiv:1608.00859).

    Bin i is [floor(i count / num_frames), floor((i + 1) count / num_frames)): the bins cover all frames and differ in
    size by at most 1. An empty bin (count < num_frames) gives its lower bound.

    Raises:
        ValueError: a count below 1.
    """
    _check_counts(count, num_frames)
    fractions = torch.rand(num_frames, generator=generator, dtype=torch.float64).tolist()
    bounds = [i * count // num_frames for i in range(num_frames + 1)]
    return [bounds[i] + int(fraction * (bounds[i + 1] - bounds[i])) for i, fraction in enumerate(fractions)]


# Which frames of a span are kept. Keyword arguments other than the generator are settings.
FRAME_CHOICES: dict[str, Callable[..., list[int]]] = {
    "uniform": uniform_positions,
    "strided": strided_positions,
    "jittered": jittered_positions,
}


def frame_indices(
    span: ClipSpan, *, fps: float, num_video_frames: int, num_frames: int, positions: Positions = uniform_positions
) -> list[int]:
    """Indices of the `num_frames` frames of the span that `positions` chooses, in order; a short span repeats some.

    The span holds the frames i with start <= i / fps < end. Every index is in [0, num_video_frames - 1]: a span is cut
    off at the video's end, and a span without a frame gives the next one (after the end, the last one).

    Raises:
        ValueError: fps not positive, a count below 1.
    """
    first, count = _frames_inside(span, fps=fps, num_video_frames=num_video_frames)
    return [first + position for position in positions(count, num_frames)]


def difference_pairs(
    span: ClipSpan, *, fps: float, num_video_frames: int, num_frames: int, positions: Positions = uniform_positions
) -> tuple[list[int], list[int]]:
    """Indices (a, b) of the frames whose difference I_a - I_b replaces each kept frame of the span.

    SCE's temporal difference is d_i = I_i - I_{i+1} over *all* n frames of the span, the last repeating d_{n-2}; only
    then `num_frames` are kept, as in `frame_indices`. So b = a + 1 at the video's own frame rate; for n = 1, b = a.

    Raises:
        ValueError: as `frame_indices`.
    """
    first, count = _frames_inside(span, fps=fps, num_video_frames=num_video_frames)
    last = first + count - 1
    kept = [first + min(position, max(count - 2, 0)) for position in positions(count, num_frames)]
    return kept, [min(index + 1, last) for index in kept]


def frame_times(indices: Sequence[int], *, fps: float) -> list[float]:
    """Seconds at which the frames are on screen: the middle of each, so that rounding cannot give a neighbour.

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


def _check_counts(count: int, num_frames: int) -> None:
    for name, number in (("count", count), ("num_frames", num_frames)):
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")


def _check_fps(fps: float) -> None:
    if not (fps > 0 and math.isfinite(fps)):
        raise ValueError(f"fps is {fps}; it must be a positive number of frames per second")
