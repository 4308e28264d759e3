"""Whether all videos get the same key: wholly, or in part."""

import math
from collections.abc import Sequence
from itertools import takewhile
from statistics import mean

from sce_video.train.probes.trend import LEAST_RECENT, Line

# Spread of the keys, as a share of that of uniform vectors, and their rank, below which they are one point or one line.
_COLLAPSED_SPREAD, _COLLAPSED_RANK = 0.1, 1.5
# Cosine of keys of different videos from which they are alike, if those of a query and its own key are hardly higher.
_ALIKE, _HARDLY_HIGHER = 0.5, 0.05

_MORE_SPREAD = (
    "Lower OPTIM.BASE_LR, raise METHOD.EMA_MOMENTUM, lower METHOD.TARGET_TEMPERATURE, or let the projector end with a "
    "norm (MODEL.PROJECTOR_ENDS_WITH_NORM), whichever the method has."
)


def collapse(judged: Sequence[Line]) -> str:
    """A sentence if the keys are one point or one line, with the step since which they are; else ""."""
    measured = [line for line in judged if {"key_std", "key_rank", "embedding_dim"} <= line.keys()]
    streak = list(takewhile(_is_collapsed, reversed(measured)))
    if not streak:
        return ""
    last, since = streak[0], streak[-1]["step"]
    return (
        f"collapsed since step {since:.0f}: the keys of all videos are nearly the same or on one line (spread "
        f"{_spread(last):.1%} of that of uniform vectors, effective rank {last['key_rank']:.1f} of "
        f"{last['embedding_dim']:.0f}). {_MORE_SPREAD}"
    )


def alike_keys(judged: Sequence[Line]) -> str:
    """A sentence if a query is as similar to the keys of other videos as to its own, and very much so; else ""."""
    names = ("positive_similarity", "negative_similarity")
    measured = [line for line in judged if line.keys() >= set(names)][-LEAST_RECENT:]
    if not measured:
        return ""
    own, others = (mean(line[name] for line in measured) for name in names)
    if others < _ALIKE or own - others > _HARDLY_HIGHER:
        return ""
    return (
        f"The keys are partly collapsed: a query's similarity to its own key is {own:.2f}, to those of other videos "
        f"{others:.2f}. {_MORE_SPREAD}"
    )


def _is_collapsed(line: Line) -> bool:
    return line["embedding_dim"] > 1 and (_spread(line) < _COLLAPSED_SPREAD or line["key_rank"] < _COLLAPSED_RANK)


def _spread(line: Line) -> float:
    return line["key_std"] * math.sqrt(line["embedding_dim"])
