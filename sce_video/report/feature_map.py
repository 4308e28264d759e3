"""Features in two dimensions: PCA, and its picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sce_video.report.classes import name_of
from sce_video.report.markup import Markup, element

_SIZE, _MARGIN = 400, 24
_MOST_POINTS = 2000


@dataclass(frozen=True)
class FeatureMap:
    """`points` float (n, 2) of `num_rows`, their labels and paths; `shares` of the variance, in [0, 1], per axis."""

    points: Tensor
    labels: Sequence[int]
    paths: Sequence[str]
    shares: tuple[float, float]
    num_rows: int


def make_feature_map(features: Tensor, *, labels: Sequence[int], paths: Sequence[str]) -> FeatureMap:
    """Both axes are those of all rows, float (rows, D); of many rows 2,000, evenly spread over the list, are kept."""
    points, shares = principal_components(features)
    num_rows = len(points)
    step = max(1, -(-num_rows // _MOST_POINTS))
    kept = slice(None, None, step)
    return FeatureMap(points[kept], labels[kept], paths[kept], shares, num_rows)


def principal_components(features: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """The two directions of most variance, in double: coordinates (rows, 2) and their shares of the variance.

    Signs are free in PCA; here the largest weight of a direction is positive, so that a page looks the same when it is
    made again.
    """
    centered = features.double() - features.double().mean(dim=0)
    variances, directions = torch.linalg.eigh(centered.T @ centered)  # rising
    axes = directions[:, -2:].flip(1)  # (D, 2)
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    first, second = (variances[-2:].flip(0).clamp_min(0) / variances.clamp_min(0).sum().clamp_min(1e-300)).tolist()
    return centered @ (axes * largest.sign()), (first, second)


def scatter(drawn: FeatureMap, names: Mapping[int, str], *, description: str) -> Markup:
    """One dot per row, which says its class and path when the pointer rests on it."""
    low, high = drawn.points.amin(dim=0), drawn.points.amax(dim=0)
    extent = float((high - low).amax().clamp_min(1e-12))  # one scale for both axes: distances stay distances
    places = _MARGIN + (drawn.points - (low + high) / 2 + extent / 2) / extent * (_SIZE - 2 * _MARGIN)
    dots = [
        element(
            "circle",
            element("title", f"{name_of(label, names)}: {path}"),
            cx=f"{x:.1f}",
            cy=f"{_SIZE - y:.1f}",
            r=3,
            data_label=label,
        )
        for (x, y), label, path in zip(places.tolist(), drawn.labels, drawn.paths, strict=True)
    ]
    axes = [
        element("text", f"first axis, {100 * drawn.shares[0]:.0f} % of the variance", x=_MARGIN, y=_SIZE - 4),
        element(
            "text",
            f"second axis, {100 * drawn.shares[1]:.0f} %",
            x=-_SIZE + _MARGIN,
            y=13,
            transform="rotate(-90)",
        ),
    ]
    return element(
        "svg",
        element("title", description),
        element("rect", x=18, y=2, width=_SIZE - 20, height=_SIZE - 20, class_="frame"),
        *axes,
        element("g", *dots),
        viewBox=f"0 0 {_SIZE} {_SIZE}",
        role="img",
        class_="map",
    )
