"""Bars and their spread are where their numbers are."""

import pytest

from sce_video.report.bars import Bar, bar_chart
from tests.report.runs import Node, parse


def ends_of(node: Node, first: str, last: str) -> list[float]:
    return [float(node.attributes[name] or 0) for name in (first, last)]


def test_bars_are_as_long_as_their_values() -> None:
    bars = [Bar("half", 0.5, (0.25, 0.4, 0.5, 0.6, 0.75)), Bar("below", -0.5, (-1.0, -0.7, -0.5, -0.3, 0.0))]
    chart = parse(bar_chart("Title", bars, axis="what it means", lowest=-1.0))
    half, below = (ends_of(bar, "x", "width") for bar in chart.all("rect"))
    assert half[1] == pytest.approx(below[1])
    assert below[0] + below[1] == pytest.approx(half[0])  # both end at zero
    spread, middle = (ends_of(line, "x1", "x2") for line in chart.all("line", class_="spread")[:2])
    assert spread[1] - spread[0] == pytest.approx(half[1])  # 0.5 wide too
    assert middle[1] - middle[0] == pytest.approx(0.4 * half[1], abs=0.2)  # pixels are rounded to tenths
    assert chart.one("title").text == "Title. half: 0.50. below: -0.50."
    assert "what it means" in chart.text
