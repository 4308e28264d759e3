"""Samplers of the spans of a video that become clips.

A video shorter than a clip gives spans that start at 0 and extend beyond its end. A span's *latest start* is
max(video_seconds - clip_seconds, 0); the distance of two spans is that of their starts.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from sce_video.clips.frames import ClipSpan

# Width given to degenerate sets of pairs (a single distance, a clip as long as the video), so that one formula does.
_SLACK_SECONDS = 1e-9
# In clips: 7.68 s / 1.28 s is 6.000000000000001. Too small to hold a frame.
_ROUNDING_CLIPS = 1e-6
_BISECTIONS = 60


class SpanSampler(Protocol):
    """Draws one span per view of a video."""

    def __call__(
        self, video_seconds: float, clip_seconds: Sequence[float], *, generators: Sequence[torch.Generator]
    ) -> list[ClipSpan]:
        """`clip_seconds` and `generators` have one value per view; joint draws use the first view's generator."""


def one_random_span(video_seconds: float, clip_seconds: float, *, generator: torch.Generator) -> ClipSpan:
    """One span whose start is uniform in [0, latest start].

    Raises:
        ValueError: a length that is not a positive number of seconds.
    """
    latest = _latest_start(video_seconds, clip_seconds)
    start = latest * torch.rand((), generator=generator, dtype=torch.float64).item()
    return ClipSpan(start, clip_seconds)


def independent_spans(
    video_seconds: float, clip_seconds: Sequence[float], *, generators: Sequence[torch.Generator]
) -> list[ClipSpan]:
    """`one_random_span` for each view, from the view's own generator (SCE pretraining)."""
    return [
        one_random_span(video_seconds, seconds, generator=generator)
        for seconds, generator in zip(clip_seconds, generators, strict=True)
    ]


def bounded_distance_pair(
    video_seconds: float,
    clip_seconds: Sequence[float],
    *,
    distance_seconds: Sequence[float],
    generators: Sequence[torch.Generator],
) -> list[ClipSpan]:
    """Two spans, uniform over all pairs of starts with a distance in `distance_seconds` (least, most).

    Either may be first. A video too short for the least distance gives one span at 0 and the other at its end. The
    bounds hold to a nanosecond. Without bounds (0, infinity) the distribution is that of `independent_spans`.

    Raises:
        ValueError: not two lengths, a length that is not positive, not 0 <= least <= most.
    """
    latest = _latest_starts_of_two(video_seconds, clip_seconds)
    least, most = distance_seconds
    if not 0 <= least <= most:
        raise ValueError(f"distance_seconds is [{least}, {most}]; it must be 0 <= least <= most")
    low, high = min(least, max(latest)), min(most, max(latest))
    # With d between the starts, the earlier one is free in [0, min(a, b - d)], a and b being the latest starts of the
    # earlier and of the later span. So d and the order have that length as density, and the start is uniform in it.
    ways = [(a + _SLACK_SECONDS, b - low + _SLACK_SECONDS) for a, b in (latest, latest[::-1])]
    areas = [_area(*way, high - low + _SLACK_SECONDS) for way in ways]
    quantile, position = torch.rand(2, generator=generators[0], dtype=torch.float64).tolist()
    area = quantile * sum(areas)
    first = 0 if area < areas[0] else 1
    distance = low + _width(*ways[first], area - first * areas[0])
    return _placed(clip_seconds, latest, first=first, distance=min(distance, high), position=position)


def decreasing_distance_pair(
    video_seconds: float,
    clip_seconds: Sequence[float],
    *,
    distance_power: float,
    generators: Sequence[torch.Generator],
) -> list[ClipSpan]:
    """Two spans whose distance has a decreasing density (CVRL, arXiv:2008.03800).

    Their distance t has a density proportional to 1 - (t / T)^distance_power over [0, T], T being the latest start of
    the second span; the earlier start is uniform over the rest. Either is first with probability 1/2.

    Power 1 is CVRL's choice; for two clips of equal length it has the distribution of `independent_spans`. A power
    below 1 prefers near pairs (mean distance T (power + 1) / (2 power + 4), so T / 3 for 1 and T / 4 in the limit), one
    above 1 approaches a uniform distance.

    Raises:
        ValueError: not two lengths, a length or power that is not positive.
    """
    latest = _latest_starts_of_two(video_seconds, clip_seconds)
    if not (distance_power > 0 and math.isfinite(distance_power)):
        raise ValueError(f"distance_power is {distance_power}; it must be a positive number")
    coin, quantile, position = torch.rand(3, generator=generators[0], dtype=torch.float64).tolist()
    first = 0 if coin < 0.5 else 1
    distance = latest[1 - first] * _decreasing_quantile(quantile, distance_power)
    return _placed(clip_seconds, latest, first=first, distance=distance, position=position)


# Samplers for two global views, independent_spans for any number. Keyword arguments other than the generators are
# settings.
PAIRS: dict[str, Callable[..., list[ClipSpan]]] = {
    "independent": independent_spans,
    "distance": bounded_distance_pair,
    "decreasing": decreasing_distance_pair,
}


def pair_then_independent(
    video_seconds: float, clip_seconds: Sequence[float], *, pair: SpanSampler, generators: Sequence[torch.Generator]
) -> list[ClipSpan]:
    """Spans of the first two views by `pair`, of the other views by `independent_spans`.

    Raises:
        ValueError: fewer than two views, and as `pair`.
    """
    return [
        *pair(video_seconds, clip_seconds[:2], generators=generators[:2]),
        *independent_spans(video_seconds, clip_seconds[2:], generators=generators[2:]),
    ]


def span_apart(
    video_seconds: float, clip_seconds: float, *, others: Sequence[ClipSpan], generator: torch.Generator
) -> ClipSpan | None:
    """One span that overlaps none of `others`, uniform over all such starts; None if there is no room for it.

    Raises:
        ValueError: a length that is not a positive number of seconds.
    """
    latest = _latest_start(video_seconds, clip_seconds)
    gaps, free_from = [], 0.0
    for other in sorted(others, key=lambda span: span.start_seconds):
        gaps.append((free_from, min(other.start_seconds - clip_seconds, latest)))
        free_from = max(free_from, other.end_seconds)
    gaps = [(start, end) for start, end in [*gaps, (free_from, latest)] if start <= end]
    rest = sum(end - start for start, end in gaps) * torch.rand((), generator=generator, dtype=torch.float64).item()
    for start, end in gaps:
        if rest <= end - start:
            return ClipSpan(start + rest, clip_seconds)
        rest -= end - start
    return ClipSpan(gaps[-1][1], clip_seconds) if gaps else None  # a rounding error is left


def negative_spans(
    video_seconds: float,
    clip_seconds: Sequence[float],
    *,
    others: Sequence[ClipSpan],
    generators: Sequence[torch.Generator],
) -> tuple[list[ClipSpan], bool]:
    """Spans that overlap none of `others`, and True; if the video has no room for one, spans anywhere, and False.

    Raises:
        ValueError: a length that is not a positive number of seconds.
    """
    views = list(zip(clip_seconds, generators, strict=True))
    found = [span_apart(video_seconds, each, others=others, generator=generator) for each, generator in views]
    spans = [span for span in found if span is not None]
    if len(spans) == len(found):
        return spans, bool(spans)
    return independent_spans(video_seconds, clip_seconds, generators=generators), False


def random_clip_seconds(
    clip_seconds: float, *, video_seconds: float, speeds: Sequence[float], jitter: float, generator: torch.Generator
) -> float:
    """Length of one view's span: `clip_seconds` times one of `speeds`, times a factor in [1 - jitter, 1 + jitter].

    Both are uniform. The number of frames stays, so a view at speed 2 looks twice as fast. The result is at most the
    longer of video and `clip_seconds`. A single speed and jitter 0 draw nothing from the generator.

    Raises:
        ValueError: a length or speed that is not positive, no speed, jitter outside [0, 1).
    """
    _check_lengths(video_seconds, clip_seconds)
    if not speeds or not all(speed > 0 and math.isfinite(speed) for speed in speeds):
        raise ValueError(f"speeds are {list(speeds)}; they must be one or more positive numbers")
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter is {jitter}; it must be in [0, 1)")
    speed, factor = speeds[0], 1.0
    if len(speeds) > 1:
        speed = speeds[int(torch.randint(len(speeds), (), generator=generator).item())]
    if jitter > 0:
        factor += jitter * (2 * torch.rand((), generator=generator, dtype=torch.float64).item() - 1)
    return min(clip_seconds * speed * factor, max(video_seconds, clip_seconds))


def evenly_spaced_spans(video_seconds: float, clip_seconds: float, *, num_clips: int) -> list[ClipSpan]:
    """`num_clips` spans in order, the first at the video's start and the last at its end; a single one is centred.

    Raises:
        ValueError: a length that is not a positive number of seconds, `num_clips` below 1.
    """
    if num_clips < 1:
        raise ValueError(f"num_clips is {num_clips}; it must be at least 1")
    latest = _latest_start(video_seconds, clip_seconds)
    if num_clips == 1:
        return [ClipSpan(latest / 2, clip_seconds)]
    return [ClipSpan(i * latest / (num_clips - 1), clip_seconds) for i in range(num_clips)]


def half_overlapping_spans(video_seconds: float, clip_seconds: float) -> list[ClipSpan]:
    """Spans that start every half clip from 0, and a last one that ends with the video.

    Raises:
        ValueError: a length that is not a positive number of seconds.
    """
    latest = _latest_start(video_seconds, clip_seconds)
    step = clip_seconds / 2
    num_before_last = math.ceil(latest / step - _ROUNDING_CLIPS)
    return [ClipSpan(start, clip_seconds) for start in [*(i * step for i in range(num_before_last)), latest]]


def full_coverage_spans(video_seconds: float, clip_seconds: float) -> list[ClipSpan]:
    """The fewest evenly spaced spans that cover the whole video.

    Raises:
        ValueError: a length that is not a positive number of seconds.
    """
    latest = _latest_start(video_seconds, clip_seconds)
    num_clips = 1 + math.ceil(latest / clip_seconds - _ROUNDING_CLIPS)
    return evenly_spaced_spans(video_seconds, clip_seconds, num_clips=num_clips)


def _latest_start(video_seconds: float, clip_seconds: float) -> float:
    _check_lengths(video_seconds, clip_seconds)
    return max(video_seconds - clip_seconds, 0.0)


def _check_lengths(video_seconds: float, clip_seconds: float) -> None:
    for name, seconds in (("video_seconds", video_seconds), ("clip_seconds", clip_seconds)):
        if not (seconds > 0 and math.isfinite(seconds)):
            raise ValueError(f"{name} is {seconds}; it must be a positive number of seconds")


def _latest_starts_of_two(video_seconds: float, clip_seconds: Sequence[float]) -> tuple[float, float]:
    if len(clip_seconds) != 2:
        raise ValueError(f"clip_seconds has {len(clip_seconds)} values; a pair of spans is for two views")
    return _latest_start(video_seconds, clip_seconds[0]), _latest_start(video_seconds, clip_seconds[1])


def _placed(
    clip_seconds: Sequence[float], latest: tuple[float, float], *, first: int, distance: float, position: float
) -> list[ClipSpan]:
    """Spans in the order of the views; view `first` starts earlier, at the fraction `position` of its range."""
    second = 1 - first
    distance = min(distance, latest[second])
    starts = [0.0, 0.0]
    starts[first] = position * min(latest[first], latest[second] - distance)
    starts[second] = min(starts[first] + distance, latest[second])
    return [ClipSpan(start, seconds) for start, seconds in zip(starts, clip_seconds, strict=True)]


def _area(height: float, reach: float, width: float) -> float:
    """Area below max(min(height, reach - y), 0) for y in [0, width]: a flat part, then a slope down to `reach`."""
    top = min(height, max(reach, 0.0))
    knee = min(max(reach - height, 0.0), width)
    slope = min(width - knee, top)
    return knee * top + slope * (top - slope / 2)


def _width(height: float, reach: float, area: float) -> float:
    """The width for which `_area` is `area`."""
    top = min(height, max(reach, 0.0))
    knee = max(reach - height, 0.0)
    if area <= knee * top:
        return area / top
    rest = area - knee * top  # slope (top - slope / 2) = rest, solved without subtracting near equals
    return knee + 2 * rest / (top + math.sqrt(max(top * top - 2 * rest, 0.0)))


def _decreasing_quantile(quantile: float, power: float) -> float:
    """x in [0, 1] with F(x) = quantile, for the density proportional to 1 - x^power."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if (power + 1) * middle - middle ** (power + 1) < quantile * power:
            low = middle
        else:
            high = middle
    return low
