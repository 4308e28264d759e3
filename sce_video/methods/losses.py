"""Contrastive losses as pure functions: SCE (arXiv:2111.14585, 2212.11187), InfoNCE, MoCo's and ReSSL's.

SCE is the cross-entropy between the similarities of a query and a target distribution, with `coeff` on the query's own
key and the rest on the other keys, by their similarity to it. coeff = 1 is InfoNCE, coeff = 0 is relational (ReSSL, but
with the own key among the query's candidates).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def sce_loss(
    query: Tensor,
    key: Tensor,
    queue: Tensor,
    *,
    coeff: float,
    temperature: float,
    target_temperature: float,
    negatives: Tensor | None = None,
) -> Tensor:
    """SCE with the queue as negatives, as in every official recipe.

        target_i = coeff * onehot(own key) + (1 - coeff) * softmax_j(key_i . queue_j / target_temperature)
        loss     = mean_i cross_entropy(target_i, softmax([query_i . key_i, query_i . queue_j] / temperature))

    The own key is excluded from the relational softmax, as in the paper (the reference code leaves it in with
    similarity 0).

    Args:
        query, key: unit vectors, (B, D). Only `query` carries a gradient.
        queue: unit vectors, (K, D), K >= 1.
        negatives: similarities of each query to further keys, which have no share in the target, (B, n); -inf: none.
    Returns:
        The mean over the batch, a scalar.
    Raises:
        ValueError: coeff outside [0, 1], a temperature that is not positive, mismatched shapes.
    """
    _check_coeff(coeff)
    _check_temperatures(temperature=temperature, target_temperature=target_temperature)
    _check_key_and_queue(query, key, queue)
    key, queue = key.detach(), queue.detach()
    logits = queue_similarities(query, key, queue) / temperature
    target = sce_target(key, queue, coeff=coeff, target_temperature=target_temperature)
    return _soft_cross_entropy(beside(logits, negatives, temperature=temperature), target)


def sce_target(key: Tensor, queue: Tensor, *, coeff: float, target_temperature: float) -> Tensor:
    """The target of `sce_loss`: (B, 1+K), the own key in column 0."""
    relations = queue_relations(key, queue, target_temperature=target_temperature)
    return F.pad((1 - coeff) * relations, (1, 0), value=coeff)


def sce_loss_in_batch(
    query: Tensor,
    keys: Tensor,
    queue: Tensor,
    *,
    positive_index: Tensor,
    coeff: float,
    temperature: float,
    target_temperature: float,
    negatives: Tensor | None = None,
) -> Tensor:
    """SCE with the other keys of the batch, and the queue if there is one, as negatives.

    Args:
        query: unit vectors, (B, D).
        keys: unit vectors of the whole batch, (N, D), without gradient.
        queue: unit vectors, (K, D); K = 0 is no queue.
        positive_index: int64 (B,), the row of `keys` that belongs to each query.
        negatives: as in `sce_loss`.
    Returns:
        The mean over the batch, a scalar.
    Raises:
        ValueError: coeff outside [0, 1], a temperature that is not positive, fewer than two keys in all, mismatched
            shapes.
    """
    _check_coeff(coeff)
    _check_temperatures(temperature=temperature, target_temperature=target_temperature)
    _check_widths(query, keys, queue)
    if positive_index.shape != (len(query),):
        raise ValueError(f"positive_index has shape {tuple(positive_index.shape)}; ({len(query)},) was expected")
    if len(keys) + len(queue) < 2:
        raise ValueError(f"{len(keys)} key and {len(queue)} in the queue; a contrastive loss needs two")
    candidates = torch.cat([keys, queue]).detach()  # (N+K, D)
    logits = query @ candidates.T / temperature  # (B, N+K)
    target = sce_target_in_batch(
        candidates, positive_index=positive_index, coeff=coeff, target_temperature=target_temperature
    )
    return _soft_cross_entropy(beside(logits, negatives, temperature=temperature), target)


def sce_target_in_batch(
    candidates: Tensor, *, positive_index: Tensor, coeff: float, target_temperature: float
) -> Tensor:
    """The target of `sce_loss_in_batch`: (B, N+K), for the keys and the queue (N+K, D)."""
    column = positive_index[:, None]
    similarities = candidates[positive_index] @ candidates.T / target_temperature
    relations = F.softmax(similarities.scatter(1, column, float("-inf")), dim=1)
    return ((1 - coeff) * relations).scatter(1, column, coeff)


def info_nce(
    query: Tensor,
    keys: Tensor,
    *,
    positive_index: Tensor,
    temperature: float,
    excluded_index: Tensor | None = None,
) -> Tensor:
    """InfoNCE: mean over queries of -log softmax_j(query . key_j / temperature) at the query's own key.

    Equal to SCE with coeff 1, but keys may carry gradient (arXiv:1807.03748; NT-Xent of arXiv:2002.05709).

    Args:
        query: unit vectors, (B, D); keys: unit vectors, (N, D).
        positive_index: int64 (B,), the row of `keys` that belongs to each query.
        excluded_index: int64 (B,), one row of `keys` to leave out per query: the query itself.
    Raises:
        ValueError: a temperature that is not positive.
    """
    _check_temperatures(temperature=temperature)
    logits = query @ keys.T / temperature  # (B, N)
    if excluded_index is not None:
        logits = logits.scatter(1, excluded_index[:, None], float("-inf"))
    return F.cross_entropy(logits, positive_index)


def moco_loss(
    query: Tensor, key: Tensor, queue: Tensor, *, temperature: float, negatives: Tensor | None = None
) -> Tensor:
    """InfoNCE with one positive, the query's own key, and the queue as negatives (MoCo, arXiv:1911.05722).

        loss = mean_i cross_entropy(own key, softmax([query_i . key_i, query_i . queue_j] / temperature))

    Args:
        query, key: unit vectors, (B, D). Only `query` carries a gradient.
        queue: unit vectors, (K, D), K >= 1.
        negatives: as in `sce_loss`.
    Returns:
        The mean over the batch, a scalar.
    Raises:
        ValueError: a temperature that is not positive, mismatched shapes.
    """
    _check_temperatures(temperature=temperature)
    _check_key_and_queue(query, key, queue)
    logits = queue_similarities(query, key.detach(), queue.detach()) / temperature
    logits = beside(logits, negatives, temperature=temperature)
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.int64, device=query.device))


def ressl_loss(
    query: Tensor,
    key: Tensor,
    queue: Tensor,
    *,
    temperature: float,
    target_temperature: float,
    negatives: Tensor | None = None,
) -> Tensor:
    """Relational loss with the own key in neither softmax (ReSSL, arXiv:2107.09282).

        loss = mean_i cross_entropy(softmax_j(key_i . queue_j / target_temperature),
                                    softmax_j(query_i . queue_j / temperature))

    Args, Returns, Raises: as `moco_loss`.
    """
    _check_temperatures(temperature=temperature, target_temperature=target_temperature)
    _check_key_and_queue(query, key, queue)
    key, queue = key.detach(), queue.detach()
    relations = queue_relations(key, queue, target_temperature=target_temperature)
    logits = beside(query @ queue.T / temperature, negatives, temperature=temperature)
    return _soft_cross_entropy(logits, relations)


def queue_relations(key: Tensor, queue: Tensor, *, target_temperature: float) -> Tensor:
    """How similar each key is to those in the queue, as a distribution, (B, K)."""
    return F.softmax(key @ queue.T / target_temperature, dim=1)


def queue_similarities(query: Tensor, key: Tensor, queue: Tensor) -> Tensor:
    """(B, 1+K): of each query to its own key, in column 0, and to the queue."""
    positive = (query * key).sum(dim=1, keepdim=True)  # (B, 1)
    return torch.cat([positive, query @ queue.T], dim=1)


def beside(logits: Tensor, negatives: Tensor | None, *, temperature: float) -> Tensor:
    """Logits (B, M), and after them those of the queries' own negatives, (B, M+n)."""
    return logits if negatives is None else torch.cat([logits, negatives / temperature], dim=1)


def _soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Columns of `logits` beyond those of `target` have no share in it."""
    return -(target * F.log_softmax(logits, dim=1)[:, : target.shape[1]]).sum(dim=1).mean()


def _check_coeff(coeff: float) -> None:
    if not 0 <= coeff <= 1:
        raise ValueError(f"coeff is {coeff}; it must be in [0, 1]")


def _check_temperatures(**temperatures: float) -> None:
    for name, value in temperatures.items():
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be above 0")


def _check_key_and_queue(query: Tensor, key: Tensor, queue: Tensor) -> None:
    _check_widths(query, key, queue)
    if len(key) != len(query):  # a single key would be broadcast to all queries
        raise ValueError(f"{len(key)} keys and {len(query)} queries; every query needs its key")
    if len(queue) == 0:
        raise ValueError("queue is empty; the loss needs at least one past key")


def _check_widths(query: Tensor, key: Tensor, queue: Tensor) -> None:
    for name, tensor in (("key", key), ("queue", queue)):
        if tensor.ndim != 2 or tensor.shape[1] != query.shape[1]:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; (*, {query.shape[1]}) was expected")
