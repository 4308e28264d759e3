"""Nearest neighbours by cosine similarity: what kNN and retrieval share."""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

_QUERIES_PER_CHUNK = 1024


def nearest(query: Tensor, bank: Tensor, *, k: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Exact search in chunks of queries, so that the whole similarity matrix is never there.

    Args:
        query: float (n, D).
        bank: float (m, D); of k above m only m are returned.
    Yields:
        Similarities and int64 bank rows of some queries, both (chunk, min(k, m)), nearest first.
    """
    bank = F.normalize(bank, dim=1)
    for chunk in F.normalize(query, dim=1).split(_QUERIES_PER_CHUNK):
        similarities, rows = (chunk @ bank.T).topk(min(k, len(bank)), dim=1)
        yield similarities, rows
