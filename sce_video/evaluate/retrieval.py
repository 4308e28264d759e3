"""Retrieval: test videos (or clips) are the queries, training videos (or clips) the bank."""

from collections.abc import Sequence

import torch

from sce_video.evaluate.features import FeatureSet
from sce_video.evaluate.metrics import Measured, recall_at
from sce_video.evaluate.neighbors import Search, nearest, torch_search


def retrieval_metrics(
    query: FeatureSet,
    bank: FeatureSet,
    *,
    retrieval_ranks: Sequence[int],
    retrieval_center_features: bool,
    device: torch.device,
    search: Search = torch_search,
) -> Measured:
    """R@k for every k of `retrieval_ranks`, in [0, 1].

    Args:
        retrieval_center_features: subtract the mean of queries and of the bank first, as in SCE's reference code.
    """
    origins = (query.features.mean(dim=0), bank.features.mean(dim=0)) if retrieval_center_features else (None, None)
    similarities, rows = nearest(
        query.features,
        bank.features,
        k=max(retrieval_ranks),
        query_origin=origins[0],
        bank_origin=origins[1],
        device=device,
        search=search,
    )
    answers = bank.labels[rows]  # (queries, max(retrieval_ranks))
    metrics = {f"retrieval_r{k}": recall_at(answers, query.labels, k=k) for k in retrieval_ranks}
    return Measured(metrics, {}, neighbors=(similarities, rows))
