"""Choosing a part of labelled things."""

from collections.abc import Sequence

import torch

from sce_video.runtime.seeds import generator_from


def balanced_part(labels: Sequence[int], *, share: float, seed: int) -> list[int]:
    """The indices of a random part of the things, of every class the same share, rounded, and at least one; in order.

    A larger share with the same seed holds the smaller one, and what is chosen of a class does not depend on the
    other classes.

    Args:
        share: in (0, 1].
    """
    indices: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        indices.setdefault(label, []).append(index)
    chosen = []
    for label, of_class in indices.items():
        order = torch.randperm(len(of_class), generator=generator_from(seed, "balanced part", label)).tolist()
        chosen += [of_class[i] for i in order[: max(1, round(share * len(of_class)))]]
    return sorted(chosen)
