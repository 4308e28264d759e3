"""How a loss moves: where it was at first, where it is now, and whether it rises or falls."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

Line = Mapping[str, float]  # of metrics.jsonl

LEAST_RECENT = 3  # lines
_RECENT_SHARE = 0.2  # of the logged lines, averaged
_MOVED, _CLIMBED = 0.03, 0.15  # of the scale: less may be noise; and what untrained networks do not do
_STANDARD_ERRORS = 3  # of the difference of two means


@dataclass(frozen=True)
class Trend:
    """Of a loss: means of the first lines and of the most recent ones, and what they say.

    `has_fallen`, `has_climbed`: now against at first, the latter clearly. `rises`, `falls`: the most recent lines
    against as many before them; what falls again in its last line does not rise. `slope`: the steeper fall of these
    two, per step, 0 if there is none. `step`: that of `now`.
    """

    first: float
    now: float
    step: float
    slope: float
    has_fallen: bool
    has_climbed: bool
    rises: bool
    falls: bool

    def at(self, step: int) -> float:
        """The loss at a later step if it goes on falling like this."""
        return self.now + self.slope * (step - self.step)


def trend_of(lines: Sequence[Line], *, scale: float) -> Trend:
    """The trend of lines with losses, at least three; a difference is one if it is 3 % of `scale`.

    Rising, falling and climbing also have to be larger than three standard errors. The noise of a line is estimated by
    the differences of successive lines, which a trend hardly changes.
    """
    recent = max(LEAST_RECENT, round(_RECENT_SHARE * len(lines)))
    early = lines[: max(1, min(LEAST_RECENT, len(lines) // 3))]
    newest, older = lines[-recent:], lines[-2 * recent : -recent]
    noise = math.sqrt(mean((b["loss"] - a["loss"]) ** 2 for a, b in pairwise(lines)) / 2)

    def difference(part: Sequence[Line], share: float) -> float:
        """Of the newest lines to this part; 0 if it may be noise."""
        if not part:
            return 0.0
        found = _mean_of("loss", newest) - _mean_of("loss", part)
        error = noise * math.sqrt(1 / len(part) + 1 / len(newest))
        return found if abs(found) > max(share * scale, _STANDARD_ERRORS * error) else 0.0

    first, now, moves = _mean_of("loss", early), _mean_of("loss", newest), difference(older, _MOVED)
    slopes = [_slope(early, newest), *([_slope(older, newest)] if moves < 0 else [])]
    return Trend(
        first=first,
        now=now,
        step=_mean_of("step", newest),
        slope=min(0.0, *slopes),
        has_fallen=now < first - _MOVED * scale,
        has_climbed=difference(early, _CLIMBED) > 0,
        rises=moves > 0 and lines[-1]["loss"] >= now,
        falls=moves < 0,
    )


def _mean_of(name: str, lines: Sequence[Line]) -> float:
    return mean(line[name] for line in lines)


def _slope(before: Sequence[Line], after: Sequence[Line]) -> float:
    steps = _mean_of("step", after) - _mean_of("step", before)
    return (_mean_of("loss", after) - _mean_of("loss", before)) / steps if steps > 0 else 0.0
