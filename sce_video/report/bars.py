"""Horizontal bars with their spread as SVG, with a description in words."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sce_video.report.charts import ticks
from sce_video.report.markup import Markup, element

_WIDTH, _ROW, _LEFT, _RIGHT, _TOP, _BOTTOM = 620, 26, 240, 56, 8, 36
_BAR = 14  # height


class Bar(NamedTuple):
    """`quantiles` are 10, 25, 50, 75 and 90 %."""

    title: str
    value: float
    quantiles: tuple[float, float, float, float, float]


def bar_chart(title: str, bars: Sequence[Bar], *, axis: str, lowest: float) -> Markup:
    """A figure with a row for each bar from 0; a thin line is the middle 80 %, a thick one the middle half.

    Args:
        axis: what the numbers mean, below them.
        lowest: number on the axis, shared by charts that are compared.
    """
    values = ticks(min(lowest, 0.0), max(1.0, *(bar.quantiles[-1] for bar in bars)))
    low, high = values[0], values[-1]

    def x(value: float) -> float:
        return round(_LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT), 1)

    bottom = _TOP + _ROW * len(bars)
    parts = []
    for value in values:
        parts.append(element("line", x1=x(value), x2=x(value), y1=_TOP, y2=bottom, class_="grid"))
        parts.append(element("text", f"{value:.6g}", x=x(value), y=bottom + 15, text_anchor="middle"))
    parts += [_row(bar, _TOP + _ROW * number + _ROW / 2, x) for number, bar in enumerate(bars)]
    parts.append(element("line", x1=x(0), x2=x(0), y1=_TOP, y2=bottom, class_="axis"))
    parts.append(element("text", axis, x=_WIDTH - _RIGHT, y=bottom + 31, text_anchor="end"))
    summary = f"{title}. " + " ".join(f"{bar.title}: {bar.value:.2f}." for bar in bars)
    picture = element(
        "svg",
        element("title", summary),
        element("g", *parts, aria_hidden="true"),
        viewBox=f"0 0 {_WIDTH} {bottom + _BOTTOM}",
        role="img",
    )
    return element("figure", element("figcaption", element("strong", title)), picture, class_="bars")


def _row(bar: Bar, y: float, x: Callable[[float], float]) -> Markup:
    left, right = sorted((x(0), x(bar.value)))
    lowest, low, _, high, highest = map(x, bar.quantiles)
    return element(
        "g",
        element("text", bar.title, x=_LEFT - 8, y=y + 4, text_anchor="end"),
        element("rect", x=left, y=y - _BAR / 2, width=round(right - left, 1), height=_BAR),
        element("line", x1=lowest, x2=highest, y1=y, y2=y, class_="spread"),
        element("line", x1=low, x2=high, y1=y, y2=y, class_="spread half"),
        element("text", f"{bar.value:.2f}", x=_WIDTH - 4, y=y + 4, text_anchor="end", class_="value"),
    )
