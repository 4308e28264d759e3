"""Frame rates and the frame on screen: against a slow reader of the definition."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.engine.prepare.timing import at_constant_rate, steady_fps

NTSC = Fraction(30000, 1001)


def milliseconds(fps: Fraction, count: int) -> list[float]:
    return [round(float(i / fps) * 1000) / 1000 for i in range(count)]


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), NTSC, Fraction(30), Fraction(60)])
@pytest.mark.parametrize("header", [None, Fraction(1000), Fraction(0)])
def test_a_standard_rate_is_found_from_rounded_stamps(fps: Fraction, header: Fraction | None) -> None:
    assert steady_fps(milliseconds(fps, 200), header) == fps


def test_gaps_do_not_lower_the_rate() -> None:
    stamps = [i / 30 for i in range(100) if i % 7 and not 40 < i < 60]
    assert steady_fps(stamps, Fraction(22)) == 30


def test_hidden_frames_do_not_raise_the_rate() -> None:
    fps = Fraction(24000, 1001)  # as in a real VP9 file: 8 hidden frames a millisecond before others
    stamps = milliseconds(fps, 72)
    assert steady_fps([*stamps, *(stamp - 0.001 for stamp in stamps[5::9])], fps) == fps


def test_an_odd_rate_of_the_header_is_kept_where_it_fits() -> None:
    fps = Fraction(119, 4)
    assert steady_fps([float(i / fps) for i in range(298)], fps) == fps
    assert float(steady_fps([float(i / fps) for i in range(298)], None)) == pytest.approx(29.75, rel=1e-4)


@pytest.mark.parametrize(("header", "fps"), [(None, 25), (Fraction(12), 12), (Fraction(1000), 25), (Fraction(0), 25)])
def test_one_frame_has_the_headers_rate_or_25(header: Fraction | None, fps: int) -> None:
    assert steady_fps([0.0], header) == steady_fps([], header) == fps


def test_two_far_gaps_and_no_usual_one() -> None:
    assert steady_fps([0.0, 0.001, 9.0], None) == 240
    assert steady_fps([0.0, 0.1, 10.1], None) == 10


def timed(starts: list[float], last_seconds: float) -> list[tuple[float, float, int]]:
    return [(start, last_seconds, number) for number, start in enumerate(starts)]


@given(
    st.lists(st.integers(1, 20), min_size=0, max_size=40),
    st.sampled_from([Fraction(5), Fraction(25), NTSC, Fraction(60)]),
    st.integers(1, 30),
)
def test_each_output_is_what_a_slow_reader_sees(gaps: list[int], fps: Fraction, last: int) -> None:
    tick = 0.01
    starts = [sum(gaps[:i]) * tick for i in range(len(gaps) + 1)]
    end = starts[-1] + last * tick
    shown = list(at_constant_rate(timed(starts, last * tick), fps))
    for index, number in enumerate(shown):
        now = float(index / fps)
        assert number == max(i for i, start in enumerate(starts) if start <= now + 0.002 + 1e-12)
    assert len(shown) == 1 or abs(float(len(shown) / fps) - end) <= float(1 / fps) + 1e-9


def test_the_same_rate_changes_nothing_however_stamps_are_rounded() -> None:
    for fps in (Fraction(24000, 1001), NTSC, Fraction(30), Fraction(60)):
        starts = milliseconds(fps, 200)
        assert list(at_constant_rate(timed(starts, float(1 / fps)), fps)) == list(range(200))


def test_half_the_rate_keeps_every_second_frame() -> None:
    assert list(at_constant_rate(timed([i / 30 for i in range(9)], 1 / 30), Fraction(15))) == [0, 2, 4, 6, 8]


def test_no_frames_give_no_images() -> None:
    assert list(at_constant_rate([], Fraction(30))) == []
