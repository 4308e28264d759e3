from statistics import linear_regression

import pytest

from sce_video.train.probes.trend import Line, trend_of


def lines(*losses: float) -> list[Line]:
    return [{"step": 10 * i, "loss": loss} for i, loss in enumerate(losses)]


def test_a_line_goes_on_as_a_line() -> None:
    losses = [9.0 - 0.1 * i for i in range(20)]
    found = trend_of(lines(*losses), scale=5.0)
    slope, intercept = linear_regression([10.0 * i for i in range(20)], losses)
    assert found.slope == pytest.approx(slope)
    assert found.at(500) == pytest.approx(intercept + 500 * slope)
    assert found.first == pytest.approx(8.9)
    assert found.now == pytest.approx(7.25)
    assert (found.has_fallen, found.falls, found.rises, found.has_climbed) == (True, True, False, False)


def test_a_climb_is_a_fall_in_a_mirror() -> None:
    found = trend_of(lines(*[5.0 + 0.1 * i for i in range(20)]), scale=5.0)
    assert (found.has_fallen, found.falls, found.rises, found.has_climbed) == (False, False, True, True)
    assert found.slope == 0
    assert found.at(500) == found.now


def test_noise_neither_rises_nor_falls() -> None:
    """Means of the newest lines and those before differ by 0.33, 7 % of the scale."""
    found = trend_of(lines(5, 7, 5, 7, 5, 7, 5, 7), scale=5.0)
    assert (found.falls, found.rises, found.has_climbed) == (False, False, False)
