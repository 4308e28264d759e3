"""Nearest-neighbour search by cosine similarity, for kNN and retrieval."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.engine.cluster.collectives import all_gathered, num_ranks, rank
from sce_video.errors import UserError

# Size of one similarity matrix: 256 MiB in float32.
_QUERIES_PER_CHUNK, _BANK_PER_CHUNK = 1024, 65536
# Unit vectors (n, D), unit vectors (m, D), k <= m -> the k largest dot products of each of the n, and their rows,
# both (n, k).
Search = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def torch_search(query: Tensor, bank: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Search by torch: all dot products, then top-k."""
    found = (query @ bank.T).topk(k, dim=1)
    return found.values, found.indices


def load_faiss_search() -> Search:
    """Search by faiss, in float32 on the CPU; rows with equal similarities may be in another order.

    Raises:
        UserError: faiss is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise UserError(f"faiss cannot be loaded ({error}); pip install faiss-cpu, or use EVAL.SEARCH torch") from error

    def search(query: Tensor, bank: Tensor, k: int) -> tuple[Tensor, Tensor]:
        query_array, bank_array = (part.float().cpu().numpy() for part in (query, bank))
        similarities, rows = faiss.knn(query_array, bank_array, k, metric=faiss.METRIC_INNER_PRODUCT)
        return torch.from_numpy(similarities), torch.from_numpy(rows)

    return search


# By EVAL.SEARCH; each imports its library when called.
SEARCHES: dict[str, Callable[[], Search]] = {"torch": lambda: torch_search, "faiss": load_faiss_search}


def nearest(
    query: Tensor,
    bank: Tensor,
    *,
    k: int,
    query_origin: Tensor | None = None,
    bank_origin: Tensor | None = None,
    device: torch.device | None = None,
    search: Search = torch_search,
) -> tuple[Tensor, Tensor]:
    """Exact nearest neighbours, in chunks: neither the whole similarity matrix nor a copy of the bank is made.

    All ranks call it with the same arguments and share the chunks; the result does not depend on their number.

    Args:
        query: float (n, D).
        bank: float (m, D); for k above m only m are returned.
        query_origin, bank_origin: float (D,), subtracted first.
        device: where similarities are computed; the bank's by default.
        search: finds the nearest in one chunk of the bank.
    Returns:
        Similarities and int64 bank rows, both (n, min(k, m)), on the query's device; nearest first, rows of equal
        similarity in ascending order.
    """
    num_kept = min(k, len(bank))
    device = device or bank.device
    similarities = query.new_full((len(query), num_kept), float("-inf"))
    rows = torch.full_like(similarities, len(bank), dtype=torch.int64)
    starts = range(0, len(bank), _BANK_PER_CHUNK)
    for start in starts[rank() :: num_ranks()]:
        part = _unit_vectors(bank[start : start + _BANK_PER_CHUNK], bank_origin, device)
        for first in range(0, len(query), _QUERIES_PER_CHUNK):
            chunk = slice(first, first + _QUERIES_PER_CHUNK)
            found, indices = search(_unit_vectors(query[chunk], query_origin, device), part, min(num_kept, len(part)))
            candidates = found.to(similarities), indices.to(query.device) + start
            similarities[chunk], rows[chunk] = _merged(num_kept, (similarities[chunk], rows[chunk]), candidates)
    return _merged(num_kept, *all_gathered((similarities, rows)))


def _unit_vectors(vectors: Tensor, origin: Tensor | None, device: torch.device) -> Tensor:
    """Unit vectors, (n, D), after subtracting the origin."""
    return F.normalize((vectors if origin is None else vectors - origin).to(device), dim=1)


def _merged(num_kept: int, *found: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The nearest of several sets of similarities and rows; independent of the order of the sets."""
    similarities, rows = (torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
    rows, order = rows.sort(dim=1)
    similarities, best = similarities.gather(1, order).sort(dim=1, descending=True, stable=True)
    return similarities[:, :num_kept], rows.gather(1, best[:, :num_kept])
