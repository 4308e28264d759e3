"""Nearest neighbours by cosine similarity: what kNN and retrieval share."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Similarities of so many queries with so many bank videos lie in memory together: 256 MiB in float32.
_QUERIES_PER_CHUNK, _BANK_PER_CHUNK = 1024, 65536


def nearest(
    query: Tensor,
    bank: Tensor,
    *,
    k: int,
    query_origin: Tensor | None = None,
    bank_origin: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Exact search in chunks of queries and bank; neither the whole similarity matrix nor a copy of the bank is made.

    Args:
        query: float (n, D).
        bank: float (m, D); of k above m only m are returned.
        query_origin, bank_origin: float (D,), subtracted first.
    Returns:
        Similarities and int64 bank rows, both (n, min(k, m)), nearest first.
    """
    num_kept = min(k, len(bank))
    similarities = query.new_full((len(query), num_kept), float("-inf"))
    rows = torch.zeros_like(similarities, dtype=torch.int64)
    for first_row in range(0, len(bank), _BANK_PER_CHUNK):
        part = _directions(bank[first_row : first_row + _BANK_PER_CHUNK], bank_origin)
        for first in range(0, len(query), _QUERIES_PER_CHUNK):
            chunk = slice(first, first + _QUERIES_PER_CHUNK)
            found = (_directions(query[chunk], query_origin) @ part.T).topk(min(num_kept, len(part)), dim=1)
            candidates = torch.cat([similarities[chunk], found.values], dim=1)
            candidate_rows = torch.cat([rows[chunk], found.indices + first_row], dim=1)
            similarities[chunk], order = candidates.topk(num_kept, dim=1)
            rows[chunk] = candidate_rows.gather(1, order)
    return similarities, rows


def _directions(vectors: Tensor, origin: Tensor | None) -> Tensor:
    """Unit vectors from the origin, (n, D)."""
    return F.normalize(vectors if origin is None else vectors - origin, dim=1)
