"""Weighted k nearest neighbours (Wu et al., arXiv:1805.01978)."""

from torch import Tensor

from sce_video.evaluate.metrics import classification_metrics
from sce_video.evaluate.neighbors import nearest


def knn_votes(
    query: Tensor, bank: Tensor, bank_labels: Tensor, *, num_neighbors: int, temperature: float, num_classes: int
) -> Tensor:
    """Each of the nearest bank videos votes for its label with exp(cosine similarity / temperature).

    Args:
        query: float (n, D); bank: float (m, D); bank_labels: int64 (m,).
        num_neighbors: at most m are used.
    Returns:
        Shares of the vote, float (n, num_classes), rows sum to 1.
    """
    similarities, rows = nearest(query, bank, k=num_neighbors)
    weights = (similarities / temperature).softmax(dim=1)  # (n, k)
    votes = weights.new_zeros(len(query), num_classes)
    return votes.scatter_add_(1, bank_labels[rows], weights)


def knn_metrics(
    query: Tensor,
    query_labels: Tensor,
    bank: Tensor,
    bank_labels: Tensor,
    *,
    num_neighbors: int,
    temperature: float,
) -> dict[str, float]:
    """Top-1, top-5 and mean class accuracy of kNN, in [0, 1].

    Where fewer than 5 classes get a vote, classes without one fill the top 5 in no meaningful order.
    """
    num_classes = int(max(query_labels.max(), bank_labels.max())) + 1
    votes = knn_votes(
        query, bank, bank_labels, num_neighbors=num_neighbors, temperature=temperature, num_classes=num_classes
    )
    return classification_metrics(votes, query_labels, name="knn")
