"""Retrieval: test videos ask, training videos answer."""

from collections.abc import Sequence

import torch
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
    if center_features:
        query, bank = query - query.mean(dim=0), bank - bank.mean(dim=0)
    ranked = torch.cat([bank_labels[rows] for _, rows in nearest(query, bank, k=max(ranks))])
    return {f"retrieval_r{k}": recall_at(ranked, query_labels, k=k) for k in ranks}
