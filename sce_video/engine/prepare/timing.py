"""Frame rate of a video, and its resampling to a constant rate. Pure arithmetic."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from sce_video.clips.decoders.base import MAX_FPS, UNKNOWN_FPS

Image = TypeVar("Image")

_STANDARD_FPS = [Fraction(fps) for fps in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 200, 240)] + [
    Fraction(fps * 1000, 1001) for fps in (12, 15, 24, 30, 48, 60, 120, 240)
]
# Many containers round to milliseconds.
_STAMP_SECONDS = 0.001


def steady_fps(start_seconds: Sequence[float], header_fps: Fraction | None) -> Fraction:
    """The rate at which most frames follow each other.

    Gaps do not count: a phone that records 30 frames a second and drops some has 30. Time stamps are rounded and hidden
    frames have some too, so a rate close to a standard one, or to the header's, is replaced by it.

    Args:
        start_seconds: of all frames, in any order.
        header_fps: of the file's header; None or an implausible value is ignored.
    """
    known = header_fps if header_fps is not None and 0 < header_fps <= MAX_FPS else None
    in_order = sorted(set(start_seconds))
    intervals = [after - before for before, after in pairwise(in_order)]
    if not intervals:
        return known or Fraction(UNKNOWN_FPS)
    median = statistics.median_low(intervals)
    usual = [interval for interval in intervals if abs(interval - median) <= 0.2 * median + _STAMP_SECONDS]
    measured = len(usual) / sum(usual)
    if known in _STANDARD_FPS and abs(known / measured - 1) <= 0.01:
        return known
    # Rounding moves the first and the last stamp only, however many are between them.
    tolerance = 0.0005 + _STAMP_SECONDS / sum(usual)
    candidates = [fps for fps in (known, *_STANDARD_FPS) if fps is not None]
    nearest = min(candidates, key=lambda fps: abs(fps / measured - 1))
    if abs(nearest / measured - 1) <= tolerance:
        return nearest
    return min(Fraction(measured).limit_denominator(1001), Fraction(MAX_FPS))


def at_constant_rate(frames: Iterable[tuple[float, float, Image]], fps: Fraction) -> Iterator[Image]:
    """For k = 0, 1, ... the frame on screen k / fps seconds after the first; at least one, if there is one.

    A frame that begins up to 2 ms (at most a quarter of 1 / fps) later counts as on screen, because containers round
    time stamps. The result lasts as long as the video, to within a frame; frames never on screen are not yielded.

    Args:
        frames: (start in seconds, own length in seconds, frame), in order.
    """
    tolerance = min(2 * _STAMP_SECONDS, float(1 / (4 * fps)))
    shown: Image | None = None
    index, end_seconds = 0, 0.0
    for start_seconds, seconds, image in frames:
        while shown is not None and float(index / fps) < start_seconds - tolerance:
            yield shown
            index += 1
        shown = image
        end_seconds = start_seconds + seconds
    while shown is not None and (index == 0 or index + 0.5 <= end_seconds * fps):
        yield shown
        index += 1
