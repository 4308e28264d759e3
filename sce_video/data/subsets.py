"""Random parts of labelled data."""

from collections.abc import Sequence

import torch

from sce_video.runtime.seeds import generator_from


def balanced_part(labels: Sequence[int], *, share: float, seed: int) -> list[int]:
    """Indices of a random part with the same share of each class, rounded, and at least one; ascending.

    With the same seed a larger share contains a smaller one, and the choice in a class does not depend on the others.

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
