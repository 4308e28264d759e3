"""Line charts as SVG, with a description and a table of the same data."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sce_video.report.markup import Markup, data_table, details, element, html, joined

_WIDTH, _HEIGHT = 400, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 12, 38  # margins, for the axis labels
_MAX_POINTS = 400
_NUM_TABLE_ROWS = 8
NUM_COLORS = 6


class Point(NamedTuple):
    step: float
    value: float


def line_chart(title: str, unit: str, lines: Mapping[str, Sequence[Point]]) -> Markup:
    """SVG chart; several lines differ in colour and dashes and have a legend.

    Args:
        lines: name -> points; more than 400 are averaged down.
    """
    drawn = {name: downsampled(points) for name, points in lines.items() if points}
    axes = _Axes([point for points in drawn.values() for point in points])
    curves = [
        element("polyline", points=axes.path(points), class_=f"line color-{number % NUM_COLORS}")
        for number, points in enumerate(drawn.values())
    ]
    label = f"{title}, {unit}" if unit else title
    summary = f"{label}, over optimiser steps. " + " ".join(map(_summary, drawn, drawn.values()))
    size = f"0 0 {_WIDTH} {_HEIGHT}"
    picture = element("svg", element("title", summary), axes.markup(), *curves, viewBox=size, role="img")
    caption = element("figcaption", element("strong", label), legend(list(drawn)))
    return element("figure", caption, picture, _data(title, drawn), class_="chart")


def legend(names: Sequence[str]) -> Markup:
    """Legend of a chart; empty if it has only one line."""
    if len(names) < 2:
        return Markup()
    keys = []
    for number, name in enumerate(names):
        line = element("line", x1=0, y1=5, x2=28, y2=5, class_=f"line color-{number % NUM_COLORS}")
        picture = element("svg", line, viewBox="0 0 28 10", class_="key", aria_hidden="true")
        keys.append(element("li", picture, " ", name))
    return element("ul", *keys, class_="legend")


def ticks(low: float, high: float, *, num_steps: int = 5) -> list[float]:
    """Round numbers, 1, 2 or 5 times a power of ten apart, that enclose low .. high in about `num_steps` steps."""
    if high <= low:
        low, high = low - (abs(low) or 1) / 2, low + (abs(low) or 1) / 2
    rough = (high - low) / num_steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def downsampled(points: Sequence[Point], *, max_points: int = _MAX_POINTS) -> list[Point]:
    """Downsample a line to a maximum number of points by averaging neighbours."""
    size = math.ceil(len(points) / max_points)
    groups = [points[i : i + size] for i in range(0, len(points), size)] if points else []
    return [Point(*(sum(values) / len(group) for values in zip(*group, strict=True))) for group in groups]


class _Axes:
    """Mapping from steps and values to pixel coordinates."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._steps = ticks(min(point.step for point in points), max(point.step for point in points), num_steps=4)
        self._values = ticks(min(point.value for point in points), max(point.value for point in points))

    def _x(self, step: float) -> float:
        first, last = self._steps[0], self._steps[-1]
        return _LEFT + (step - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        low, high = self._values[0], self._values[-1]
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def path(self, points: Sequence[Point]) -> str:
        if len(points) == 1:  # a line of one point would be invisible
            points = [points[0], points[0]._replace(step=points[0].step + (self._steps[-1] - self._steps[0]) / 100)]
        return " ".join(f"{self._x(point.step):.1f},{self._y(point.value):.1f}" for point in points)

    def markup(self) -> Markup:
        below, left, right = _HEIGHT - _BOTTOM, _LEFT, _WIDTH - _RIGHT
        parts = []
        for value in self._values:
            y = round(self._y(value), 1)
            parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
            parts.append(element("text", f"{value:.6g}", x=left - 6, y=y + 4, text_anchor="end"))
        for step in self._steps:
            x = round(self._x(step), 1)
            parts.append(element("line", x1=x, x2=x, y1=below, y2=below + 4, class_="axis"))
            parts.append(element("text", f"{step:.6g}", x=x, y=below + 17, text_anchor="middle"))
        parts.append(element("line", x1=left, x2=right, y1=below, y2=below, class_="axis"))
        parts.append(element("text", "optimiser step", x=(left + right) / 2, y=_HEIGHT - 5, text_anchor="middle"))
        return element("g", *parts, aria_hidden="true")


def _summary(name: str, points: Sequence[Point]) -> str:
    """First, last, lowest and highest value, as text for screen readers."""
    lowest, highest = min(points, key=lambda point: point.value), max(points, key=lambda point: point.value)
    first, last = points[0], points[-1]
    start = f"{name}: from" if name else "From"
    return (
        f"{start} {first.value:.4g} at step {first.step:.0f} to {last.value:.4g} at step {last.step:.0f}; lowest "
        f"{lowest.value:.4g} at step {lowest.step:.0f}, highest {highest.value:.4g} at step {highest.step:.0f}."
    )


def _data(title: str, lines: Mapping[str, Sequence[Point]]) -> Markup:
    """Table of a few points of each line, as an alternative to the picture."""
    tables = []
    for name, points in lines.items():
        chosen = evenly_spaced(points, _NUM_TABLE_ROWS)
        rows = [[f"{point.step:.0f}", f"{point.value:.6g}"] for point in chosen]
        tables.append(data_table(f"{title} {name}".strip(), ["step", html(title)], rows, num_text_columns=0))
    return details("values", joined(tables))


def evenly_spaced(points: Sequence[Point], max_points: int) -> list[Point]:
    """Evenly spaced points, including the first and the last."""
    if len(points) <= max_points:
        return list(points)
    return [points[round(i * (len(points) - 1) / (max_points - 1))] for i in range(max_points)]
