"""Weighted kNN classifier (Wu et al., arXiv:1805.01978)."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from sce_video.evaluate.features import FeatureSet
from sce_video.evaluate.metrics import Measured, classification_metrics
from sce_video.evaluate.neighbors import Search, nearest, torch_search
from sce_video.runtime.logging import LOGGER


def knn_votes(
    similarities: Tensor, neighbor_labels: Tensor, *, num_neighbors: int, temperature: float, num_classes: int
) -> Tensor:
    """Class scores of kNN: each of the nearest bank videos votes with weight exp(cosine similarity / temperature).

    Args:
        similarities: float (n, k), nearest first; neighbor_labels: int64 (n, k).
        num_neighbors: how many vote, at most k.
    Returns:
        Float (n, num_classes), rows sum to 1.
    """
    weights = (similarities[:, :num_neighbors] / temperature).softmax(dim=1)  # (n, num_neighbors)
    votes = weights.new_zeros(len(weights), num_classes)
    return votes.scatter_add_(1, neighbor_labels[:, :num_neighbors], weights)


def knn_metrics(
    query: FeatureSet,
    bank: FeatureSet,
    *,
    knn_num_neighbors: Sequence[int],
    knn_temperatures: Sequence[float],
    device: torch.device,
    search: Search = torch_search,
) -> Measured:
    """Top-1, top-5 and mean class accuracy of kNN with the first k and temperature; `details` has all pairs.

    If fewer than 5 classes get a vote, the others fill the top 5 in arbitrary order.
    """
    num_classes = int(max(query.labels.max(), bank.labels.max())) + 1
    if max(knn_num_neighbors) > len(bank.labels):
        LOGGER.warning("kNN with %d neighbors: all %d training videos vote", max(knn_num_neighbors), len(bank.labels))
    similarities, rows = nearest(query.features, bank.features, k=max(knn_num_neighbors), device=device, search=search)
    neighbor_labels = bank.labels[rows]
    sweep, first_votes = [], None
    for num_neighbors, temperature in product(knn_num_neighbors, knn_temperatures):
        votes = knn_votes(
            similarities,
            neighbor_labels,
            num_neighbors=num_neighbors,
            temperature=temperature,
            num_classes=num_classes,
        )
        first_votes = votes if first_votes is None else first_votes
        metrics = classification_metrics(votes, query.labels, name="knn")
        sweep.append({"num_neighbors": num_neighbors, "temperature": temperature, **metrics})
    first = {name: value for name, value in sweep[0].items() if name.startswith("knn_")}
    return Measured(first, {"knn_sweep": sweep}, scores=first_votes, neighbors=(similarities, rows))
