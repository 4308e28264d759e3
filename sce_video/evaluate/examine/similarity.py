"""Similarity of a clip's feature to those of its changed versions, on a scale from other videos (0) to the same (1)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

CLIP, OTHER_VIDEOS = "clip", "other_videos"
# Mean of 1 - cosine between videos; below it differences are those of rounding, in float32.
_LEAST_DIFFERENCE = 1e-10
_LEAST_NORM = 1e-12  # below it `F.normalize` makes no unit vector
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


class Bar(NamedTuple):
    """Similarities of clips to one of their changed versions, or of pairs of videos.

    `cosine` is the mean raw cosine. The others are on the scale: mean, its standard error, which is None of a single
    video, and the quantiles 10, 25, 50, 75 and 90 %.
    """

    cosine: float
    mean: float
    error: float | None
    quantiles: tuple[float, ...]
    num_videos: int


class Similarities(NamedTuple):
    """By row, and between other videos; without bars if the features have collapsed: the scale is meaningless.

    `zeros`: how many features of a row are zeros, and of `CLIP`; these have no direction and are left out.
    """

    bars: dict[str, Bar]
    cosine_of_others: float
    zeros: Mapping[str, int] = MappingProxyType({})


class Rows(NamedTuple):
    """Features of one row: `features` (m, D) of the videos at the indices `videos`, (m,), among all n."""

    features: Tensor
    videos: Tensor


def similarities(clips: Tensor, rows: Mapping[str, Rows], *, is_other: Tensor) -> Similarities:
    """Compare each clip with its changed versions and with other videos.

    The scale is (c - o) / (1 - o) for a cosine c and the mean cosine o of other videos. As 1 - cosine is half the
    squared distance of unit vectors, this is 1 - distance² / mean distance² of other videos: a direction that all
    features share, by which cosines of untrained networks are all near 1, has no effect.

    Args:
        clips: float (n, D).
        rows: by name; not necessarily of all videos.
        is_other: bool (n, n): pairs of different videos; symmetric.
    Raises:
        ValueError: there is no such pair.
    """
    if not is_other.any():
        raise ValueError("there are no two different videos to compare")
    is_zero = _are_zeros(clips)
    all_zeros = {name: _are_zeros(row.features) for name, row in rows.items()}
    counted = {CLIP: is_zero & is_other.any(dim=1), **all_zeros}
    zeros = {name: int(found.sum()) for name, found in counted.items() if found.any()}
    units = F.normalize(clips.double(), dim=1)
    is_other = with_direction(clips, is_other)
    between = half_squared_distances(units)[is_other]
    unit = between.mean().item() if len(between) else 0.0
    if unit < _LEAST_DIFFERENCE:
        return Similarities({}, 1 - unit, zeros)
    bars = {}
    for name, row in rows.items():
        features, videos = (each[~(all_zeros[name] | is_zero[row.videos])] for each in row)
        if len(videos):
            apart = (units[videos] - F.normalize(features.double(), dim=1)).square().sum(dim=1) / 2
            bars[name] = _bar(apart, unit=unit, num_videos=len(videos))
    others = _bar(between, unit=unit, num_videos=int(is_other.any(dim=1).sum()))
    bars[OTHER_VIDEOS] = others._replace(mean=0.0, error=0.0)  # by definition of the scale
    return Similarities(bars, 1 - unit, zeros)


def with_direction(features: Tensor, pairs: Tensor) -> Tensor:
    """Pairs, bool (n, n), without those of features that are zeros."""
    is_zero = _are_zeros(features)
    return pairs & ~(is_zero | is_zero[:, None])


def half_squared_distances(units: Tensor) -> Tensor:
    """1 - cosine of all pairs, (n, n); unlike 1 minus the product it is exact for nearly equal vectors."""
    return torch.cdist(units, units, compute_mode="donot_use_mm_for_euclid_dist").square() / 2


def _are_zeros(features: Tensor) -> Tensor:
    """bool (n,) of (n, D)"""
    return features.double().norm(dim=1) < _LEAST_NORM


def _bar(apart: Tensor, *, unit: float, num_videos: int) -> Bar:
    scaled = 1 - apart / unit
    error = scaled.std().item() / num_videos**0.5 if len(scaled) > 1 else None
    levels = np.quantile(scaled.numpy(), _QUANTILES).tolist()  # torch takes 2 ** 24 values at most
    return Bar(1 - apart.mean().item(), scaled.mean().item(), error, tuple(levels), num_videos)
