"""Chance levels and standard errors of metrics."""

import math
import re
from collections.abc import Iterable, Mapping
from math import comb, sqrt

from torch import Tensor

_TOP, _RECALL = re.compile(r".*_top(\d+)"), re.compile(r"retrieval_r(\d+)")


def chance_levels(names: Iterable[str], *, labels: Tensor, bank_labels: Tensor | None) -> dict[str, float]:
    """Chance level of each metric, in [0, 1]: the value reached without looking at a video.

    top-k: predicting the k most frequent test classes for every video, k / C where all C are equally frequent.
    Mean over classes: 1 / C for any constant prediction. R@k: a randomly ordered bank, see `chance_of_recall`.

    Args:
        labels: int64 (n,), of the test rows.
        bank_labels: int64 (N,); None where there is no bank.
    """
    levels = {}
    for name in names:
        if name.endswith("_mean_class"):
            levels[name] = 1 / len(labels.unique())
        elif found := _TOP.fullmatch(name):
            counts = labels.unique(return_counts=True)[1].sort(descending=True).values
            levels[name] = counts[: int(found[1])].sum().item() / len(labels)
        elif (found := _RECALL.fullmatch(name)) and bank_labels is not None:
            levels[name] = chance_of_recall(labels, bank_labels, k=int(found[1]))
    return levels


def chance_of_recall(labels: Tensor, bank_labels: Tensor, *, k: int) -> float:
    """Probability that k random rows of a bank of N include the query's label, averaged over the queries.

    For a query whose label occurs m times in the bank it is 1 - C(N - m, k) / C(N, k).
    """
    size, k = len(bank_labels), min(k, len(bank_labels))
    in_bank = dict(zip(*(each.tolist() for each in bank_labels.unique(return_counts=True)), strict=True))
    chances = [
        # Exact integers of any size; Python rounds their quotient correctly.
        count * (1 - comb(size - in_bank.get(label, 0), k) / comb(size, k))
        for label, count in zip(*(each.tolist() for each in labels.unique(return_counts=True)), strict=True)
    ]
    return math.fsum(chances) / len(labels)


def standard_errors(
    metrics: Mapping[str, float], *, num_videos: int, right: Tensor, labels: Tensor
) -> dict[str, float]:
    """Standard error of each metric, in [0, 1], from the choice of test videos: see `error_of_share`.

    For the mean over C classes with n_c videos and accuracies p_c it is sqrt(sum of p_c (1 - p_c) / n_c) / C; if none
    or all are right, that of the share.

    Args:
        num_videos: n; clips of one video are not independent.
        right: bool (n,), whether the top-1 prediction of each test row is correct; labels: int64 (n,).
    """
    of_shares = {name: error_of_share(value, num_videos=num_videos) for name, value in metrics.items()}
    of_means = {
        name: _of_mean_class(right, labels)
        for name, value in metrics.items()
        if name.endswith("_mean_class") and 0 < value < 1
    }
    return {**of_shares, **of_means}


def error_of_share(share: float, *, num_videos: int) -> float:
    """Standard error of a share p of n videos: sqrt(p (1 - p) / n), which says nothing if p is 0 or 1.

    There p is replaced by (k + 2) / (n + 4), where k videos are right, and n by n + 4 (Agresti and Coull, 1998).
    """
    if not 0 < share < 1:
        share, num_videos = (share * num_videos + 2) / (num_videos + 4), num_videos + 4
    return sqrt(share * (1 - share) / num_videos)


def _of_mean_class(right: Tensor, labels: Tensor) -> float:
    classes = [right[labels == label].double() for label in labels.unique()]
    variances = [(each.mean() * (1 - each.mean()) / len(each)).item() for each in classes]
    return sqrt(math.fsum(variances)) / len(classes)
