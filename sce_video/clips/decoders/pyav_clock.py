"""A clock that goes on where that of a file starts again or jumps, as in transport streams that were joined."""

from collections.abc import Iterable
from fractions import Fraction

import av.container
import av.video.stream

# As ffmpeg's own program has it (dts_delta_threshold): in formats made to be joined a step back by more than the one or
# ahead by more than the other begins another clock. Smaller ones are stamps that are wrong, and stills.
_MOST_BACK_SECONDS = Fraction(1, 10)
_MOST_AHEAD_SECONDS = 10
_USUAL_INTERVAL = Fraction(1, 25)
_MAY_BE_JOINED = 0x0200  # AVFMT_TS_DISCONT


class SteadyClock:
    """Called with when each frame begins, in the order of play, it tells when that is if one clock had gone on.

    The first frame of another clock comes as long after the one before it as that one after its own predecessor.

    Args:
        interval: between two frames, in seconds, until two of them tell.
    """

    def __init__(self, *, time_base: Fraction, interval: Fraction) -> None:
        self._most_back = _MOST_BACK_SECONDS / time_base
        self._most_ahead = _MOST_AHEAD_SECONDS / time_base
        self._interval = max(round(interval / time_base), 1)
        self._offset = 0
        self._last: int | None = None

    def __call__(self, stamp: int) -> int:
        if self._last is not None:
            step = stamp + self._offset - self._last
            if not self.is_step(step):
                self._offset += self._interval - step
            elif step > 0:
                self._interval = step
        self._last = stamp + self._offset
        return self._last

    def is_step(self, ticks: int) -> bool:
        """Whether one clock can go on by so much from one frame to the next."""
        return -self._most_back <= ticks <= self._most_ahead


def steady_clock(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> SteadyClock | None:
    """For a file of a kind that may be joined byte by byte (MPEG's streams, Ogg); None for all others."""
    if not container.format.flags & _MAY_BE_JOINED or not stream.time_base:
        return None
    fps = stream.average_rate
    return SteadyClock(time_base=stream.time_base, interval=1 / fps if fps else _USUAL_INTERVAL)


def in_order_of_play(stamps: Iterable[tuple[int, int]], clock: SteadyClock) -> list[int]:
    """When the frames of some packets begin, each once, on that clock.

    Args:
        stamps: of each packet, in the order of the file, when it is shown and when it is decoded.
    """
    runs: list[set[int]] = [set()]  # each on one clock, so that to sort it is right
    last = None
    for shown, decoded in stamps:
        if last is not None and not clock.is_step(decoded - last):
            runs.append(set())
        runs[-1].add(shown)
        last = decoded
    return [clock(stamp) for run in runs for stamp in sorted(run)]
