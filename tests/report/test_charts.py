import math

import pytest

from sce_video.report.charts import Point, downsampled, evenly_spaced, line_chart, ticks
from tests.report.runs import parse, rows_of


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.3, 4.7, [0, 1, 2, 3, 4, 5]),
        (-12, 31, [-20, -10, 0, 10, 20, 30, 40]),
        (1234, 1300, [1220, 1240, 1260, 1280, 1300]),
        (2, 2, [1, 1.5, 2, 2.5, 3]),
        (0, 0, [-0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6]),
        (1e-7, 5e-7, [1e-7, 2e-7, 3e-7, 4e-7, 5e-7]),
    ],
)
def test_ticks_by_hand(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected, abs=1e-12)


def test_many_points_become_means_of_neighbours() -> None:
    points = [Point(step, step**2) for step in range(1000)]
    few = downsampled(points, max_points=100)
    assert few[0] == Point(sum(range(10)) / 10, sum(i * i for i in range(10)) / 10)
    assert len(few) == 100
    assert downsampled(points[:100], max_points=100) == points[:100]
    assert len(downsampled(points[:101], max_points=100)) == 51
    assert downsampled([], max_points=5) == []


def test_a_table_has_first_and_last() -> None:
    points = [Point(step, 0) for step in range(100)]
    assert [point.step for point in evenly_spaced(points, 4)] == [0, 33, 66, 99]
    assert evenly_spaced(points[:3], 4) == points[:3]


def drawn(node) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in node.attributes["points"].split()]


def test_a_line_is_where_its_numbers_are_on_the_axes() -> None:
    points = [Point(0, 4.0), Point(50, 1.0), Point(100, 0.0)]
    chart = parse(line_chart("Loss", "nats", {"": points}))
    (x0, y0), (x1, y1), (x2, y2) = drawn(chart.one("polyline"))
    texts = {(text.text, text.attributes["text-anchor"]): text for text in chart.all("text")}
    for value, y in (("4", y0), ("1", y1), ("0", y2)):  # the number stands beside its height
        assert float(texts[value, "end"].attributes["y"]) == pytest.approx(y + 4, abs=0.1)
    for step, x in (("0", x0), ("50", x1), ("100", x2)):
        assert float(texts[step, "middle"].attributes["x"]) == pytest.approx(x, abs=0.1)
    assert y0 < y1 < y2  # up is more
    assert math.isclose(x1 - x0, x2 - x1)


def test_the_same_in_words_and_numbers() -> None:
    chart = parse(line_chart("Speed", "clips/s", {"": [Point(9, 5.0), Point(19, 7.5), Point(29, 6.0)]}))
    assert chart.one("svg").attributes["role"] == "img"
    assert chart.one("title").text == (
        "Speed, clips/s, over optimiser steps. From 5 at step 9 to 6 at step 29; lowest 5 at step 9, highest 7.5 at "
        "step 19."
    )
    assert rows_of(chart.one("table")) == [["9", "5"], ["19", "7.5"], ["29", "6"]]
    assert chart.all("ul") == []  # one line needs no legend


def test_several_lines_have_a_legend_and_differ_in_more_than_colour() -> None:
    lines = {"a <b>": [Point(0, 1), Point(1, 2)], "c": [Point(0, 2), Point(1, 3)], "empty": []}
    chart = parse(line_chart("Loss", "nats", lines))
    assert [key.text.strip() for key in chart.one("ul", class_="legend").all("li")] == ["a <b>", "c"]
    kinds = [line.attributes["class"] for line in chart.all("polyline")]
    assert kinds == ["line color-0", "line color-1"]
    keys = [line.attributes["class"] for line in chart.one("ul").all("line")]
    assert keys == kinds


def test_one_logged_step_can_be_seen() -> None:
    (start, end) = drawn(parse(line_chart("Loss", "", {"": [Point(5, 2.0)]})).one("polyline"))
    assert end[0] > start[0]
