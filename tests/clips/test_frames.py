import math
from fractions import Fraction
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.clips.frames import (
    ClipSpan,
    difference_pairs,
    frame_indices,
    frame_times,
    jittered_positions,
    strided_positions,
    uniform_positions,
)

SPANS = st.builds(ClipSpan, st.floats(0, 400), st.floats(0.01, 20))
RATES = st.sampled_from([1.0, 12.0, 23.976023976023978, 24.0, 25.0, 29.97, 30.0, 59.94, 240.0]) | st.floats(0.5, 240)
COUNTS = st.integers(1, 3000)
KEPT = st.integers(1, 64)


def _jittered(seed):
    """Positions that are the same at every call."""
    return lambda count, num_frames: jittered_positions(
        count, num_frames, generator=torch.Generator().manual_seed(seed)
    )


POSITIONS = (
    st.just(uniform_positions)
    | st.integers(1, 40).map(lambda stride: partial(strided_positions, frame_stride=stride))
    | st.integers(0, 1000).map(_jittered)
)


def test_the_sce_clip_by_hand():
    # 2.56 s at 30 fps: 76.8, so frames 0..76, n = 77; floor(i * 76 / 7) for i = 0..7.
    indices = frame_indices(ClipSpan(0.0, 2.56), fps=30.0, num_video_frames=300, num_frames=8)
    assert indices == [0, 10, 21, 32, 43, 54, 65, 76]
    # From 1 s: 30 .. ceil(106.8) - 1 = 106, again 77 frames.
    indices = frame_indices(ClipSpan(1.0, 2.56), fps=30.0, num_video_frames=300, num_frames=8)
    assert indices == [30, 40, 51, 62, 73, 84, 95, 106]
    # At 25 fps 2.56 s are exactly 64 frames: 0..63, and floor(i * 63 / 7) = 9 i.
    indices = frame_indices(ClipSpan(0.0, 2.56), fps=25.0, num_video_frames=300, num_frames=8)
    assert indices == [0, 9, 18, 27, 36, 45, 54, 63]


def test_the_end_of_the_video_cuts_the_span():
    # 9.5 s .. 10.5 s of 300 frames at 30 fps: frames 285..299, n = 15; floor(i * 14 / 3) = 0, 4, 9, 14.
    indices = frame_indices(ClipSpan(9.5, 1.0), fps=30.0, num_video_frames=300, num_frames=4)
    assert indices == [285, 289, 294, 299]


def test_short_videos_repeat_frames():
    span = ClipSpan(0.0, 2.56)
    assert frame_indices(span, fps=30.0, num_video_frames=3, num_frames=8) == [0, 0, 0, 0, 1, 1, 1, 2]
    assert frame_indices(span, fps=30.0, num_video_frames=1, num_frames=3) == [0, 0, 0]


def test_a_span_between_two_frames_gives_the_next_and_past_the_end_the_last():
    assert frame_indices(ClipSpan(0.11, 0.01), fps=10.0, num_video_frames=9, num_frames=2) == [2, 2]
    assert frame_indices(ClipSpan(50.0, 1.0), fps=10.0, num_video_frames=9, num_frames=2) == [8, 8]


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30.0])
def test_a_span_that_starts_on_a_frame_starts_with_that_frame(fps):
    # Floats alone would not: 0.1 * 30 is 3.0000000000000004.
    for index in range(500):
        for start in (index / fps, index * (1 / fps), float(Fraction(index) / Fraction(fps))):
            assert frame_indices(ClipSpan(start, 1.0), fps=fps, num_video_frames=1000, num_frames=1) == [index]


@settings(max_examples=100)
@given(span=SPANS, fps=RATES, num_video_frames=COUNTS, num_frames=KEPT)
def test_indices_are_valid_ordered_and_inside_the_span(span, fps, num_video_frames, num_frames):
    indices = frame_indices(span, fps=fps, num_video_frames=num_video_frames, num_frames=num_frames)
    assert len(indices) == num_frames
    assert indices == sorted(indices)
    assert indices[0] >= 0
    assert indices[-1] <= num_video_frames - 1
    inside = [i for i in range(num_video_frames) if span.start_seconds <= i / fps < span.end_seconds]
    if inside:  # up to one frame of rounding at either end
        assert abs(indices[0] - inside[0]) <= 1
        assert num_frames == 1 or abs(indices[-1] - inside[-1]) <= 1


@settings(max_examples=200)
@given(span=SPANS, fps=RATES, num_video_frames=COUNTS, num_frames=KEPT, positions=POSITIONS)
def test_every_choice_keeps_ordered_frames_of_the_span_and_times_of_the_video(
    span, fps, num_video_frames, num_frames, positions
):
    counts = {"fps": fps, "num_video_frames": num_video_frames}
    indices = frame_indices(span, **counts, num_frames=num_frames, positions=positions)
    assert len(indices) == num_frames
    assert indices == sorted(indices)
    first, last = frame_indices(span, **counts, num_frames=2)  # uniform: both ends of the span
    assert first <= indices[0]
    assert indices[-1] <= last
    assert all(0 < time < num_video_frames / fps for time in frame_times(indices, fps=fps))


def test_strided_frames_by_hand():
    # 1 s .. 2 s at 10 fps are frames 10..19; with stride 4: 10, 14, 18, and then the last one again.
    counts = {"fps": 10.0, "num_video_frames": 100}
    positions = partial(strided_positions, frame_stride=4)
    span = ClipSpan(1.0, 1.0)
    assert frame_indices(span, **counts, num_frames=5, positions=positions) == [10, 14, 18, 19, 19]
    # Differences go one native frame on; the last frame has none and repeats that of 18 and 19.
    pairs = difference_pairs(span, **counts, num_frames=5, positions=positions)
    assert pairs == ([10, 14, 18, 18, 18], [11, 15, 19, 19, 19])
    assert strided_positions(100, 4, frame_stride=1) == [0, 1, 2, 3]


@settings(max_examples=100)
@given(count=st.integers(1, 400), num_frames=KEPT, seed=st.integers(0, 1000))
def test_a_jittered_frame_lies_in_its_bin(count, num_frames, seed):
    for i, position in enumerate(_jittered(seed)(count, num_frames)):
        low, high = (math.floor(Fraction(edge * count, num_frames)) for edge in (i, i + 1))
        assert low <= position < max(high, low + 1)


def test_jittered_frames_are_uniform_and_independent_in_their_bins():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor([jittered_positions(10, 3, generator=generator) for _ in range(6000)])
    for column, frames in zip(drawn.T, ([0, 1, 2], [3, 4, 5], [6, 7, 8, 9]), strict=True):
        assert column.unique().tolist() == frames
        for frame in frames:  # five standard errors of a share near 1/3 in 6000
            assert (column == frame).double().mean().item() == pytest.approx(1 / len(frames), abs=0.03)
    assert torch.corrcoef(drawn.T.double()).fill_diagonal_(0).abs().max() < 0.06


def test_jittered_frames_are_a_function_of_the_generator_alone():
    torch.manual_seed(1)
    first = _jittered(7)(1000, 8)
    torch.manual_seed(2)
    assert _jittered(7)(1000, 8) == first
    assert _jittered(8)(1000, 8) != first


@settings(max_examples=100)
@given(num_video_frames=st.integers(1, 400), num_frames=KEPT)
def test_kept_positions_are_an_exact_linspace(num_video_frames, num_frames):
    indices = frame_indices(ClipSpan(0.0, 1000.0), fps=1.0, num_video_frames=num_video_frames, num_frames=num_frames)
    exact = torch.linspace(0, num_video_frames - 1, num_frames, dtype=torch.float64)
    assert indices == torch.floor(exact + 1e-9).long().tolist()


@settings(max_examples=100)
@given(span=SPANS, fps=RATES, num_video_frames=COUNTS, num_frames=KEPT, positions=POSITIONS)
def test_difference_pairs_select_from_the_differences_of_all_frames(span, fps, num_video_frames, num_frames, positions):
    """Slow version: build every difference of the span as a symbol, repeat the last, then subsample."""
    counts = {"fps": fps, "num_video_frames": num_video_frames}
    kept = frame_indices(span, **counts, num_frames=num_frames, positions=positions)
    (first,) = frame_indices(span, **counts, num_frames=1)
    num_native = max(min(_stop(span, fps), num_video_frames) - first, 1)
    native = list(range(first, first + num_native))
    differences = list(pairwise(native)) or [(first, first)]
    if num_native > 1:
        differences.append(differences[-1])
    expected = [differences[index - first] for index in kept]
    minuends, subtrahends = difference_pairs(span, **counts, num_frames=num_frames, positions=positions)
    assert list(zip(minuends, subtrahends, strict=True)) == expected


def _stop(span, fps):
    stop = 0
    while stop / fps < span.end_seconds - 1e-9:
        stop += 1
    return stop


def test_difference_pairs_by_hand():
    # 10 frames, 4 kept: positions 0, 3, 6, 9; the last has no successor and repeats the difference of 8 and 9.
    pairs = difference_pairs(ClipSpan(0.0, 1.0), fps=10.0, num_video_frames=100, num_frames=4)
    assert pairs == ([0, 3, 6, 8], [1, 4, 7, 9])
    pairs = difference_pairs(ClipSpan(0.0, 1.0), fps=10.0, num_video_frames=1, num_frames=2)
    assert pairs == ([0, 0], [0, 0])


def test_times_are_the_middle_of_a_frame():
    assert frame_times([0, 3, 3], fps=10.0) == pytest.approx([0.05, 0.35, 0.35])


def test_bounds_are_named():
    span = ClipSpan(0.0, 1.0)
    with pytest.raises(ValueError, match=r"fps is 0\.0; it must be a positive"):
        frame_times([0], fps=0.0)
    with pytest.raises(ValueError, match="fps is nan; it must be a positive"):
        frame_indices(span, fps=float("nan"), num_video_frames=3, num_frames=1)
    with pytest.raises(ValueError, match="num_video_frames is 0; it must be at least 1"):
        frame_indices(span, fps=10.0, num_video_frames=0, num_frames=1)
    with pytest.raises(ValueError, match="num_frames is 0; it must be at least 1"):
        difference_pairs(span, fps=10.0, num_video_frames=3, num_frames=0)
    with pytest.raises(ValueError, match="frame_stride is 0; it must be at least 1"):
        strided_positions(10, 4, frame_stride=0)
    for positions in (uniform_positions, partial(strided_positions, frame_stride=1), _jittered(0)):
        with pytest.raises(ValueError, match="count is 0; it must be at least 1"):
            positions(0, 4)
        with pytest.raises(ValueError, match="num_frames is 0; it must be at least 1"):
            positions(4, 0)
