"""Scatter plot of features on their first two principal axes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sce_video.report.classes import name_of
from sce_video.report.markup import Markup, element, scrolling

_SIZE, _MARGIN = 400, 24
_MIN_SIDE = 230  # pixels; room for the axis label, on a phone too
_AXES = ("first", "second")
_MAX_POINTS = 2000
_LIGHTNESSES = (50, 36, 64)
_GOLDEN_ANGLE = 137.508  # degrees; successive hues stay distinct, however many there are


@dataclass(frozen=True)
class FeatureMap:
    """Features of a list's videos on their first two principal axes.

    `points`, float (n, 2), are all or some of the `num_rows` features, with `labels` (-1: none) and `paths`; `shares`
    of the variance per axis are in [0, 1]; `listed` names the list.
    """

    points: Tensor
    labels: Sequence[int]
    paths: Sequence[str]
    shares: tuple[float, float]
    num_rows: int
    listed: str

    def labeled_paths(self) -> list[tuple[str, int]]:
        """Paths and labels of the points that have a label."""
        return [(path, label) for path, label in zip(self.paths, self.labels, strict=True) if label >= 0]


def make_feature_map(
    features: Tensor, *, labels: Sequence[int], paths: Sequence[str], listed: str = "test"
) -> FeatureMap:
    """PCA of all rows, float (rows, D); at most 2,000, evenly spaced, are kept as points."""
    points, shares = principal_components(features)
    num_rows = len(points)
    step = max(1, -(-num_rows // _MAX_POINTS))
    kept = slice(None, None, step)
    return FeatureMap(points[kept], labels[kept], paths[kept], shares, num_rows, listed)


def principal_components(features: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """First two principal components, in double: coordinates (rows, 2) and their shares of the variance.

    The sign of an axis is arbitrary in PCA; its largest weight is made positive, so that a page can be reproduced.
    """
    centered = features.double() - features.double().mean(dim=0)
    variances, directions = torch.linalg.eigh(centered.T @ centered)  # ascending
    axes = directions[:, -2:].flip(1)  # (D, 2)
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    first, second = (variances[-2:].flip(0).clamp_min(0) / variances.clamp_min(0).sum().clamp_min(1e-300)).tolist()
    return centered @ (axes * largest.sign()), (first, second)


def class_colors(labels: Iterable[int]) -> dict[int, str]:
    """Color of each class, the same in every map of a page; gray without a label."""
    classes = sorted({label for label in labels if label >= 0})
    colors = {
        label: f"hsl({index * _GOLDEN_ANGLE % 360:.0f}, 65%, {_LIGHTNESSES[index % len(_LIGHTNESSES)]}%)"
        for index, label in enumerate(classes)
    }
    return {-1: "gray", **colors}


def color_legend(colors: Mapping[int, str], names: Mapping[int, str]) -> Markup:
    """Legend of class colors; empty for one class."""
    classes = {label: color for label, color in colors.items() if label >= 0}
    if len(classes) < 2:
        return Markup()
    keys = []
    for label, color in classes.items():
        dot = element("svg", element("circle", cx=5, cy=5, r=5, fill=color), viewBox="0 0 10 10", aria_hidden="true")
        keys.append(element("li", dot, " ", name_of(label, names)))
    return scrolling("class colours", element("ul", *keys, class_="legend classes"))


def scatter(
    drawn: FeatureMap, names: Mapping[int, str], *, description: str, colors: Mapping[int, str] | None = None
) -> Markup:
    """SVG with one dot per point; hovering over it shows its class and path.

    Args:
        colors: from `class_colors`, for several maps; by default those of this map.
    """
    colors = colors or class_colors(drawn.labels)
    low, high = drawn.points.amin(dim=0), drawn.points.amax(dim=0)
    # One scale for both axes, to preserve distances.
    scale = (_SIZE - 2 * _MARGIN) / float((high - low).amax().clamp_min(1e-12))
    width, height = (max(_MIN_SIDE, float(length)) + 2 * _MARGIN for length in (high - low) * scale)
    positions = (drawn.points - (low + high) / 2) * scale + torch.tensor([width / 2, height / 2])
    size = {"viewBox": f"0 0 {width:.1f} {height:.1f}", "role": "img", "class_": "map"}
    dots = [
        element(
            "circle",
            element("title", f"{name_of(label, names)}: {path}"),
            cx=f"{x:.1f}",
            cy=f"{height - y:.1f}",
            r=3,
            fill=colors[label],
            data_label=label,
        )
        for (x, y), label, path in zip(positions.tolist(), drawn.labels, drawn.paths, strict=True)
    ]
    return element(
        "svg", element("title", description), _frame(width, height, drawn.shares), element("g", *dots), **size
    )


def _frame(width: float, height: float, shares: tuple[float, float]) -> Markup:
    """Box around the dots, with axis labels."""
    first, second = (
        f"{name} axis, {100 * share:.0f} % of the variance" for name, share in zip(_AXES, shares, strict=True)
    )
    return element(
        "g",
        element("rect", x=18, y=2, width=f"{width - 20:.1f}", height=f"{height - 20:.1f}", class_="frame"),
        element("text", first, x=_MARGIN, y=f"{height - 4:.1f}"),
        element("text", second, x=f"{-height + _MARGIN:.1f}", y=13, transform="rotate(-90)"),
        aria_hidden="true",
    )
