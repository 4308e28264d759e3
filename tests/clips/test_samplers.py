from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.clips.samplers import evenly_spaced_spans, one_random_span

SECONDS = st.floats(min_value=0.01, max_value=1e4)


def _generator(seed):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=100, deadline=None)
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


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_must_be_positive(bad):
    with pytest.raises(ValueError, match=f"clip_seconds is {bad}; it must be a positive"):
        one_random_span(10.0, bad, generator=_generator(0))
    with pytest.raises(ValueError, match=f"video_seconds is {bad}; it must be a positive"):
        evenly_spaced_spans(bad, 2.0, num_clips=3)


def test_num_clips_must_be_positive():
    with pytest.raises(ValueError, match="num_clips is 0; it must be at least 1"):
        evenly_spaced_spans(10.0, 2.0, num_clips=0)
