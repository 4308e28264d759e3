"""Metrics of scores and labels."""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Measured(NamedTuple):
    """Result of an evaluation: `metrics` in [0, 1], and `details` for `results.json`.

    For each test row: `scores` of the classes, (n, classes), higher is better; `neighbors`, similarities and int64 bank
    rows, both (n, k), nearest first.
    """

    metrics: dict[str, float]
    details: dict[str, Any]
    scores: Tensor | None = None
    neighbors: tuple[Tensor, Tensor] | None = None


def topk_accuracy(scores: Tensor, labels: Tensor, *, k: int) -> float:
    """Share of rows, in [0, 1], whose label is among the k highest scores.

    Args:
        scores: (n, classes), higher is better.
        labels: int64 (n,).
    """
    best = scores.topk(min(k, scores.shape[1]), dim=1).indices
    return (best == labels[:, None]).any(dim=1).double().mean().item()


def recall_at(ranked_labels: Tensor, labels: Tensor, *, k: int) -> float:
    """R@k: share of queries, in [0, 1], whose label is among those of the k nearest bank entries.

    Args:
        ranked_labels: (queries, >= k), labels of bank entries, nearest first.
        labels: (queries,).
    """
    return (ranked_labels[:, :k] == labels[:, None]).any(dim=1).double().mean().item()


def mean_class_accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Accuracy averaged over the classes that occur in `labels`; both arguments (n,)."""
    correct = (predicted == labels).double()
    return torch.stack([correct[labels == label].mean() for label in labels.unique()]).mean().item()


def classification_metrics(scores: Tensor, labels: Tensor, *, name: str) -> dict[str, float]:
    """`name`_top1, `name`_top5 and `name`_mean_class, in [0, 1].

    Args:
        scores: (n, classes), higher is better.
        labels: int64 (n,).
    """
    return {
        f"{name}_top1": topk_accuracy(scores, labels, k=1),
        f"{name}_top5": topk_accuracy(scores, labels, k=5),
        f"{name}_mean_class": mean_class_accuracy(scores.argmax(dim=1), labels),
    }
