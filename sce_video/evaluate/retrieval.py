"""Retrieval: test videos ask, training videos answer."""

from collections.abc import Sequence

from torch import Tensor

from sce_video.evaluate.metrics import recall_at
from sce_video.evaluate.neighbors import nearest


def retrieval_metrics(
    query: Tensor,
    query_labels: Tensor,
    bank: Tensor,
    bank_labels: Tensor,
    *,
    ranks: Sequence[int],
    center_features: bool,
) -> dict[str, float]:
    """R@k for every k of `ranks`, in [0, 1].

    Args:
        query: float (n, D); bank: float (m, D).
        center_features: query and bank each lose their own mean first, as in SCE's reference code.
    """
    origins = {"query_origin": query.mean(dim=0), "bank_origin": bank.mean(dim=0)} if center_features else {}
    _, rows = nearest(query, bank, k=max(ranks), **origins)
    return {f"retrieval_r{k}": recall_at(bank_labels[rows], query_labels, k=k) for k in ranks}
