import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.clips.frames import ClipSpan
from sce_video.clips.samplers import (
    bounded_distance_pair,
    decreasing_distance_pair,
    evenly_spaced_spans,
    full_coverage_spans,
    half_overlapping_spans,
    independent_spans,
    negative_spans,
    one_random_span,
    pair_then_independent,
    random_clip_seconds,
    span_apart,
)

SECONDS = st.floats(min_value=0.01, max_value=1e4)
SEEDS = st.integers(0, 2**31)
NANOSECOND = 1.01e-9
UNBOUNDED = {"distance_seconds": (0.0, math.inf)}


def _generator(seed):
    return torch.Generator().manual_seed(seed)


def _drawn_starts(sampler, video, clips, *, num, seed=0):
    """Starts of the two views in `num` draws, (num, 2)."""
    generators = [_generator(seed), _generator(seed + 1)]
    draws = [sampler(video, clips, generators=generators) for _ in range(num)]
    return torch.tensor([[span.start_seconds for span in spans] for spans in draws], dtype=torch.float64)


def _assert_has_cdf(values, cdf):
    """Kolmogorov-Smirnov: sqrt(n) times the largest gap exceeds 1.95 once in 1000 true distributions."""
    n = len(values)
    expected = torch.tensor([cdf(value) for value in values.sort().values.tolist()], dtype=torch.float64)
    steps = torch.arange(n + 1) / n
    gap = torch.maximum((expected - steps[:-1]).abs().max(), (expected - steps[1:]).abs().max())
    assert gap.item() < 1.95 / math.sqrt(n)


def _assert_same_distribution(a, b):
    """The same for two sets of values."""
    both = torch.cat([a, b])
    gap = torch.searchsorted(a.sort().values, both) / len(a) - torch.searchsorted(b.sort().values, both) / len(b)
    assert gap.abs().max().item() < 1.95 * math.sqrt(1 / len(a) + 1 / len(b))


def _rejected_pairs(latest, low, high, *, num):
    """Brute force: independent starts, kept when their distance is in [low, high]. (M, 2)."""
    starts = torch.rand(num, 2, generator=_generator(99), dtype=torch.float64) * torch.tensor(latest)
    distance = (starts[:, 1] - starts[:, 0]).abs()
    return starts[(low <= distance) & (distance <= high)]


@settings(max_examples=100)
@given(video=SECONDS, clip=SECONDS, seed=st.integers(0, 2**31))
def test_a_random_span_lies_inside_the_video_or_starts_at_0(video, clip, seed):
    span = one_random_span(video, clip, generator=_generator(seed))
    assert span.duration_seconds == clip
    if clip >= video:
        assert span.start_seconds == 0
    else:
        assert span.start_seconds >= 0
        assert span.end_seconds <= video * (1 + 1e-12)


def test_random_starts_are_uniform():
    generator = _generator(0)
    starts = torch.tensor([one_random_span(12.56, 2.56, generator=generator).start_seconds for _ in range(4000)])
    # A uniform variable on [0, 10]: mean 5 (standard error 0.046), standard deviation 10 / sqrt(12) = 2.887.
    assert starts.mean().item() == pytest.approx(5.0, abs=0.2)
    assert starts.std().item() == pytest.approx(2.887, abs=0.1)
    assert starts.min() < 0.05
    assert starts.max() > 9.95


def test_a_random_span_is_a_function_of_the_generator_alone():
    torch.manual_seed(1)
    first = one_random_span(10.0, 2.0, generator=_generator(7))
    torch.manual_seed(2)
    assert one_random_span(10.0, 2.0, generator=_generator(7)) == first
    assert one_random_span(10.0, 2.0, generator=_generator(8)) != first


@pytest.mark.parametrize(("seed", "start"), [(0, 9.70053001806553), (7, 2.79380429906404)])
def test_random_starts_of_the_first_version_are_kept_to_the_bit(seed, start):
    assert one_random_span(12.56, 2.56, generator=_generator(seed)).start_seconds == start


def test_each_independent_span_comes_from_its_own_generator():
    spans = independent_spans(12.56, [2.56, 2.56, 5.0], generators=[_generator(0), _generator(7), _generator(0)])
    assert [span.start_seconds for span in spans[:2]] == [9.70053001806553, 2.79380429906404]
    assert spans[2].duration_seconds == 5.0
    assert spans[2].start_seconds == pytest.approx(9.70053001806553 * 7.56 / 10)


@settings(max_examples=300)
@given(
    video=SECONDS,
    clips=st.tuples(SECONDS, SECONDS),
    bounds=st.tuples(SECONDS | st.just(0.0), SECONDS | st.just(math.inf)).map(sorted),
    seed=SEEDS,
)
def test_a_bounded_pair_respects_the_distance_or_is_as_far_apart_as_the_video_allows(video, clips, bounds, seed):
    low, high = bounds
    spans = bounded_distance_pair(video, clips, distance_seconds=(low, high), generators=[_generator(seed)])
    _assert_inside(spans, video, clips)
    distance = abs(spans[1].start_seconds - spans[0].start_seconds)
    farthest = max(video - min(clips), 0)
    rounding = NANOSECOND + 1e-12 * video
    assert distance <= high + rounding
    assert distance >= min(low, farthest) - rounding


def _assert_inside(spans, video, clips):
    assert [span.duration_seconds for span in spans] == list(clips)
    for span in spans:
        assert span.start_seconds >= 0
        assert span.end_seconds <= max(video, span.duration_seconds) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("clips", "low", "high"),
    [
        ((2.0, 2.0), 3.0, 5.0),  # latest starts 10 and 10
        ((2.0, 2.0), 0.0, 4.0),
        ((2.0, 2.0), 8.5, math.inf),
        ((2.0, 8.0), 1.0, 5.0),  # 10 and 4: the later one decides beyond 6, the earlier one before
        ((2.0, 8.0), 5.0, 8.0),  # only the first view can be the later one beyond 4
        ((8.0, 2.0), 3.0, 9.0),
        ((11.5, 2.0), 2.0, 9.7),
    ],
)
def test_a_bounded_pair_is_uniform_over_the_allowed_pairs(clips, low, high):
    sampler = partial(bounded_distance_pair, distance_seconds=(low, high))
    drawn = _drawn_starts(sampler, 12.0, clips, num=6000)
    expected = _rejected_pairs([12.0 - clip for clip in clips], low, high, num=400_000)
    for weights in ([1.0, 0.0], [0.0, 1.0], [-1.0, 1.0], [1.0, 1.0]):  # starts, signed distance, their sum
        direction = torch.tensor(weights, dtype=torch.float64)
        _assert_same_distribution(drawn @ direction, expected @ direction)


def test_the_distances_of_a_bounded_pair_by_hand():
    # Both starts in [0, 10]: the density of their distance is (10 - x), its integral 10 x - x^2 / 2.
    sampler = partial(bounded_distance_pair, distance_seconds=(2.0, 5.0))
    starts = _drawn_starts(sampler, 12.56, (2.56, 2.56), num=6000)
    _assert_has_cdf((starts[:, 1] - starts[:, 0]).abs(), lambda x: (10 * x - x * x / 2 - 18) / (37.5 - 18))


def test_one_allowed_distance_is_the_limit_of_a_narrow_range():
    sampler = partial(bounded_distance_pair, distance_seconds=(3.0, 3.0))
    starts = _drawn_starts(sampler, 12.0, (2.0, 8.0), num=4000)  # latest starts 10 and 4
    distance = starts[:, 1] - starts[:, 0]
    assert torch.allclose(distance.abs(), torch.tensor(3.0, dtype=torch.float64), atol=NANOSECOND, rtol=0)
    # View 1 first: its start is free in [0, 1]. View 2 first: in [0, 4]. So one in five.
    assert (distance > 0).double().mean().item() == pytest.approx(0.2, abs=0.02)
    _assert_has_cdf(starts[distance > 0, 0], lambda x: x)
    _assert_has_cdf(starts[distance < 0, 1], lambda x: x / 4)


@pytest.mark.parametrize("clip", [12.0, 20.0])
def test_a_clip_that_fills_the_video_leaves_the_other_uniform(clip):
    sampler = partial(bounded_distance_pair, distance_seconds=(2.0, 6.0))
    starts = _drawn_starts(sampler, 12.0, (clip, 3.0), num=4000)
    assert starts[:, 0].max() < NANOSECOND
    _assert_has_cdf(starts[:, 1], lambda x: (x - 2) / 4)


def test_a_video_too_short_for_the_minimum_gives_its_two_ends():
    sampler = partial(bounded_distance_pair, distance_seconds=(50.0, 60.0))
    starts = _drawn_starts(sampler, 12.0, (2.0, 2.0), num=1000)
    assert torch.allclose(starts.sort(dim=1).values, torch.tensor([0.0, 10.0], dtype=torch.float64), atol=NANOSECOND)
    assert starts[:, 0].mean().item() == pytest.approx(5.0, abs=0.5)  # each view is first half of the time
    longer_first = _drawn_starts(sampler, 12.0, (8.0, 2.0), num=100)
    assert torch.allclose(longer_first, torch.tensor([0.0, 10.0], dtype=torch.float64), atol=NANOSECOND)
    assert _drawn_starts(sampler, 1.0, (2.0, 3.0), num=10).max() < NANOSECOND
    # Half a nanosecond between the lengths: either order may come, and neither leaves the video.
    assert _drawn_starts(sampler, 12.0, (2.0, 2.0 + 5e-10), num=200).min() == 0


def test_a_pair_without_bounds_is_distributed_as_independent_spans():
    unbounded = _drawn_starts(partial(bounded_distance_pair, **UNBOUNDED), 12.0, (2.0, 5.0), num=6000)
    independent = _drawn_starts(independent_spans, 12.0, (2.0, 5.0), num=6000, seed=5)
    for weights in ([1.0, 0.0], [0.0, 1.0], [-1.0, 1.0], [1.0, 1.0]):
        direction = torch.tensor(weights, dtype=torch.float64)
        _assert_same_distribution(unbounded @ direction, independent @ direction)


@settings(max_examples=200)
@given(video=SECONDS, clips=st.tuples(SECONDS, SECONDS), power=st.floats(0.05, 20), seed=SEEDS)
def test_a_decreasing_pair_lies_inside_the_video(video, clips, power, seed):
    _assert_inside(
        decreasing_distance_pair(video, clips, distance_power=power, generators=[_generator(seed)]), video, clips
    )


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_the_distance_of_a_decreasing_pair_has_the_density_of_the_paper(power):
    starts = _drawn_starts(partial(decreasing_distance_pair, distance_power=power), 12.0, (2.0, 2.0), num=6000)
    distance = (starts[:, 1] - starts[:, 0]).abs()

    def cdf(t):  # the trapezoidal rule over the density, not its integral
        density = 1 - torch.linspace(0, 1, 2001, dtype=torch.float64) ** power
        below = 1 - torch.linspace(0, t / 10, 501, dtype=torch.float64) ** power
        return (torch.trapezoid(below, dx=t / 10 / 500) / torch.trapezoid(density, dx=1 / 2000)).item()

    _assert_has_cdf(distance, cdf)
    earlier = starts.min(dim=1).values
    _assert_has_cdf(earlier / (10 - distance), lambda x: x)  # uniform over what is left
    assert (starts[:, 0] < starts[:, 1]).double().mean().item() == pytest.approx(0.5, abs=0.03)
    # The mean of t / T: integral of x (1 - x^p) over that of 1 - x^p.
    assert distance.mean().item() == pytest.approx(10 * (power + 1) / (2 * power + 4), abs=0.12)


def test_a_linearly_decreasing_pair_is_distributed_as_independent_spans():
    # The distance of two uniform starts has the density 2 (1 - t / T) / T: CVRL's linear choice.
    decreasing = _drawn_starts(partial(decreasing_distance_pair, distance_power=1.0), 12.0, (2.0, 2.0), num=6000)
    independent = _drawn_starts(independent_spans, 12.0, (2.0, 2.0), num=6000, seed=5)
    for weights in ([1.0, 0.0], [0.0, 1.0], [-1.0, 1.0], [1.0, 1.0]):
        direction = torch.tensor(weights, dtype=torch.float64)
        _assert_same_distribution(decreasing @ direction, independent @ direction)


def test_a_decreasing_pair_of_unequal_clips_goes_as_far_as_the_later_one_can():
    starts = _drawn_starts(partial(decreasing_distance_pair, distance_power=1.0), 12.0, (2.0, 8.0), num=4000)
    distance = starts[:, 1] - starts[:, 0]
    _assert_has_cdf(distance[distance > 0], lambda t: 1 - (1 - t / 4) ** 2)
    _assert_has_cdf(-distance[distance < 0], lambda t: 1 - (1 - t / 10) ** 2)


@pytest.mark.parametrize(
    "sampler",
    [
        independent_spans,
        partial(bounded_distance_pair, distance_seconds=(1.0, 4.0)),
        partial(decreasing_distance_pair, distance_power=1.0),
    ],
)
def test_a_pair_is_a_function_of_its_generators_alone(sampler):
    def draw(seed):
        return sampler(10.0, (2.0, 3.0), generators=[_generator(seed), _generator(seed + 100)])

    torch.manual_seed(1)
    first = draw(7)
    torch.manual_seed(2)
    assert draw(7) == first
    assert draw(8) != first


@settings(max_examples=200)
@given(
    clip=SECONDS,
    video=SECONDS,
    speeds=st.lists(st.floats(0.1, 8), min_size=1, max_size=4),
    jitter=st.floats(0, 0.99),
    seed=SEEDS,
)
def test_a_random_length_is_a_speed_within_its_jitter_and_fits_the_video(clip, video, speeds, jitter, seed):
    seconds = random_clip_seconds(clip, video_seconds=video, speeds=speeds, jitter=jitter, generator=_generator(seed))
    longest = max(video, clip)
    assert 0 < seconds <= longest
    candidates = [(clip * speed * (1 - jitter), clip * speed * (1 + jitter)) for speed in speeds]
    rounding = 1 + 1e-12
    assert any(low <= seconds * rounding and seconds <= high * rounding for low, high in candidates) or (
        seconds == longest and any(high > longest for _, high in candidates)
    )


def test_speeds_are_equally_likely_and_jitter_is_uniform():
    generator = _generator(0)
    lengths = torch.tensor(
        [
            random_clip_seconds(2.0, video_seconds=100.0, speeds=(1, 2, 4), jitter=0.25, generator=generator)
            for _ in range(6000)
        ],
        dtype=torch.float64,
    )
    ranges = [(1.5, 2.5), (3.0, 5.0), (6.0, 10.0)]
    for low, high in ranges:
        chosen = lengths[(low <= lengths) & (lengths <= high)]
        assert len(chosen) == pytest.approx(2000, abs=150)
        _assert_has_cdf((chosen - low) / (high - low), lambda x: x)


def test_lengths_by_hand():
    def draw(speed, video):
        return random_clip_seconds(2.0, video_seconds=video, speeds=[speed], jitter=0.0, generator=_generator(0))

    assert draw(3, 10.0) == 6.0
    assert draw(0.5, 10.0) == 1.0
    assert draw(8, 10.0) == 10.0  # cut to the video
    assert draw(1, 1.5) == 2.0  # the clip as asked is longer than the video
    assert draw(8, 1.5) == 2.0


def test_a_length_without_a_choice_draws_nothing():
    generator = _generator(7)
    assert random_clip_seconds(2.56, video_seconds=12.56, speeds=(1.0,), jitter=0.0, generator=generator) == 2.56
    assert one_random_span(12.56, 2.56, generator=generator).start_seconds == 2.79380429906404


def test_lengths_of_two_views_go_into_a_pair():
    generators = [_generator(1), _generator(2)]
    lengths = [
        random_clip_seconds(2.0, video_seconds=30.0, speeds=(1, 2, 4), jitter=0.2, generator=generator)
        for generator in generators
    ]
    assert lengths[0] != lengths[1]
    spans = bounded_distance_pair(30.0, lengths, distance_seconds=(5.0, 6.0), generators=generators)
    _assert_inside(spans, 30.0, lengths)
    assert 5.0 <= abs(spans[0].start_seconds - spans[1].start_seconds) <= 6.0


@settings(max_examples=100)
@given(video=SECONDS, clip=SECONDS, num_clips=st.integers(2, 20))
def test_evenly_spaced_spans_cover_both_ends_in_equal_steps(video, clip, num_clips):
    spans = evenly_spaced_spans(video, clip, num_clips=num_clips)
    assert len(spans) == num_clips
    assert spans[0].start_seconds == 0
    assert spans[-1].end_seconds == pytest.approx(max(video, clip))
    steps = [b.start_seconds - a.start_seconds for a, b in pairwise(spans)]
    assert steps == pytest.approx([max(video - clip, 0) / (num_clips - 1)] * (num_clips - 1), abs=1e-9)


def test_evenly_spaced_by_hand():
    spans = evenly_spaced_spans(10.0, 2.0, num_clips=5)
    assert [span.start_seconds for span in spans] == [0, 2, 4, 6, 8]
    assert [span.start_seconds for span in evenly_spaced_spans(1.0, 2.0, num_clips=3)] == [0, 0, 0]


def test_a_single_span_is_central():
    (span,) = evenly_spaced_spans(10.0, 2.0, num_clips=1)
    assert (span.start_seconds, span.end_seconds) == (4.0, 6.0)


def test_half_overlapping_spans_by_hand():
    assert [span.start_seconds for span in half_overlapping_spans(10.0, 4.0)] == [0, 2, 4, 6]
    assert [span.start_seconds for span in half_overlapping_spans(9.0, 4.0)] == [0, 2, 4, 5]
    assert half_overlapping_spans(4.5, 4.0) == [ClipSpan(0.0, 4.0), ClipSpan(0.5, 4.0)]
    assert half_overlapping_spans(3.0, 4.0) == [ClipSpan(0.0, 4.0)]


def test_full_coverage_by_hand():
    assert [span.start_seconds for span in full_coverage_spans(10.0, 4.0)] == [0, 3, 6]
    assert [span.start_seconds for span in full_coverage_spans(10.0, 2.5)] == [0, 2.5, 5, 7.5]
    assert full_coverage_spans(4.0, 4.0) == [ClipSpan(0.0, 4.0)]
    assert full_coverage_spans(3.0, 4.0) == [ClipSpan(0.0, 4.0)]


@settings(max_examples=200)
@given(clip=st.floats(0.01, 100), video_clips=st.floats(0.01, 200))
def test_half_overlap_and_full_coverage_leave_no_gap(clip, video_clips):
    video = clip * video_clips
    for spans, longest_step in (
        (half_overlapping_spans(video, clip), clip / 2),
        (full_coverage_spans(video, clip), clip),
    ):
        _assert_inside(spans, video, [clip] * len(spans))
        rounding = 2e-6 * clip
        assert spans[0].start_seconds <= rounding
        assert spans[-1].end_seconds >= video - rounding
        starts = [span.start_seconds for span in spans]
        assert all(0 < b - a <= longest_step + rounding for a, b in pairwise(starts))
    assert (len(spans) - 1) * clip < video  # full coverage: one fewer would not do


@settings(max_examples=200)
@given(clip=st.sampled_from([0.1, 0.3, 1.28, 2.56]) | st.floats(0.01, 100), num_clips=st.integers(1, 100))
def test_a_video_of_whole_clips_gets_no_clip_for_rounding(clip, num_clips):
    video = num_clips * clip  # e.g. 3 * 0.1 = 0.30000000000000004
    assert len(full_coverage_spans(video, clip)) == num_clips
    assert len(half_overlapping_spans(video, clip)) == 2 * num_clips - 1


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_must_be_positive(bad):
    with pytest.raises(ValueError, match=f"clip_seconds is {bad}; it must be a positive"):
        one_random_span(10.0, bad, generator=_generator(0))
    with pytest.raises(ValueError, match=f"video_seconds is {bad}; it must be a positive"):
        evenly_spaced_spans(bad, 2.0, num_clips=3)


def test_num_clips_must_be_positive():
    with pytest.raises(ValueError, match="num_clips is 0; it must be at least 1"):
        evenly_spaced_spans(10.0, 2.0, num_clips=0)


@pytest.mark.parametrize("bounds", [(-1.0, 2.0), (3.0, 2.0), (float("nan"), 2.0), (1.0, float("nan"))])
def test_distance_bounds_must_be_in_order(bounds):
    with pytest.raises(ValueError, match="it must be 0 <= least <= most"):
        bounded_distance_pair(10.0, (2.0, 2.0), distance_seconds=bounds, generators=[_generator(0)])


@pytest.mark.parametrize("power", [0.0, -1.0, float("nan"), float("inf")])
def test_the_power_must_be_positive(power):
    with pytest.raises(ValueError, match=f"distance_power is {power}; it must be a positive number"):
        decreasing_distance_pair(10.0, (2.0, 2.0), distance_power=power, generators=[_generator(0)])


def test_the_first_two_of_more_views_are_a_pair():
    pair = partial(bounded_distance_pair, distance_seconds=(3.0, 4.0))
    lengths = (2.0, 2.5, 0.5, 1.0)
    spans = pair_then_independent(10.0, lengths, pair=pair, generators=[_generator(seed) for seed in range(4)])
    assert spans[:2] == pair(10.0, lengths[:2], generators=[_generator(0), _generator(1)])
    assert spans[2] == one_random_span(10.0, 0.5, generator=_generator(2))
    assert spans[3] == one_random_span(10.0, 1.0, generator=_generator(3))
    with pytest.raises(ValueError, match="clip_seconds has 1 values; a pair of spans is for two views"):
        pair_then_independent(10.0, (2.0,), pair=pair, generators=[_generator(0)])


@pytest.mark.parametrize(
    "sampler", [partial(bounded_distance_pair, **UNBOUNDED), partial(decreasing_distance_pair, distance_power=1.0)]
)
def test_a_pair_is_for_two_views(sampler):
    with pytest.raises(ValueError, match="clip_seconds has 3 values; a pair of spans is for two views"):
        sampler(10.0, (2.0, 2.0, 2.0), generators=[_generator(0)] * 3)
    with pytest.raises(ValueError, match=r"clip_seconds is -1.0; it must be a positive"):
        sampler(10.0, (2.0, -1.0), generators=[_generator(0)] * 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"speeds": ()}, r"speeds are \[\]; they must be one or more positive numbers"),
        ({"speeds": (1.0, 0.0)}, r"speeds are \[1.0, 0.0\]"),
        ({"speeds": (1.0, math.inf)}, r"speeds are \[1.0, inf\]"),
        ({"jitter": 1.0}, r"jitter is 1.0; it must be in \[0, 1\)"),
        ({"jitter": -0.1}, "jitter is -0.1"),
        ({"video_seconds": 0.0}, "video_seconds is 0.0; it must be a positive"),
    ],
)
def test_bounds_of_random_lengths_are_named(wrong, message):
    right = {"video_seconds": 10.0, "speeds": (1.0, 2.0), "jitter": 0.5, "generator": _generator(0)}
    with pytest.raises(ValueError, match=message):
        random_clip_seconds(2.0, **(right | wrong))


@settings(max_examples=300)
@given(
    video=st.integers(1, 40),
    clip=st.integers(1, 12),
    taken=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), max_size=4),
    seed=SEEDS,
)
def test_a_span_apart_overlaps_none_of_the_others_and_is_missed_only_if_there_is_no_room(video, clip, taken, seed):
    """Against all whole-second starts: with whole lengths, room anywhere is room at one of them."""
    others = [ClipSpan(float(start), float(seconds)) for start, seconds in taken]
    rooms = [
        start
        for start in range(max(video - clip, 0) + 1)
        if all(start + clip <= other or other + seconds <= start for other, seconds in taken)
    ]
    span = span_apart(float(video), float(clip), others=others, generator=_generator(seed))
    assert (span is None) == (not rooms)
    if span is not None:
        assert 0 <= span.start_seconds <= max(video - clip, 0)
        assert span.duration_seconds == clip
        for other in others:
            before = span.start_seconds + clip <= other.start_seconds + NANOSECOND
            assert before or other.end_seconds <= span.start_seconds + NANOSECOND


def test_spans_apart_are_uniform_over_the_starts_that_are_left():
    """Against rejection. Of 10 s, clips at 1 and 2.5 s take starts in (0, 4.5): left are 0 alone and [4.5, 8]."""
    others = [ClipSpan(2.5, 2.0), ClipSpan(1.0, 1.0), ClipSpan(6.0, 0.25)]
    generator = _generator(3)
    drawn = [span_apart(10.0, 2.0, others=others, generator=generator) for _ in range(2000)]
    drawn_starts = torch.tensor([span.start_seconds for span in drawn], dtype=torch.float64)
    starts = 8 * torch.rand(200_000, generator=_generator(4), dtype=torch.float64)
    overlaps = [(starts < other.end_seconds) & (starts + 2 > other.start_seconds) for other in others]
    _assert_same_distribution(drawn_starts, starts[~torch.stack(overlaps).any(dim=0)])


@pytest.mark.parametrize(("clips", "has_room"), [((1.0, 1.0), True), ((1.0, 2.5), False), ((), False)])
def test_negatives_are_apart_or_all_anywhere(clips, has_room):
    """Beside a clip from 1 to 2 s, a video of 3 s has room for clips of 1 s, and for none of 2.5 s."""
    other = ClipSpan(1.0, 1.0)
    generators = [_generator(seed) for seed in range(len(clips))]
    spans, are_apart = negative_spans(3.0, clips, others=[other], generators=generators)
    assert are_apart is has_room
    assert [span.duration_seconds for span in spans] == list(clips)
    overlap = [span.start_seconds < other.end_seconds and span.end_seconds > other.start_seconds for span in spans]
    assert any(overlap) is (not has_room and len(clips) > 0)
