"""Base class of methods that compare queries with keys of other views and with a queue of past keys."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.engine.cluster.collectives import gathered_rows, rank
from sce_video.methods.base import Compared, Relations, rows_of
from sce_video.methods.losses import beside
from sce_video.methods.momentum import MomentumMethod
from sce_video.methods.queue import KeyQueue


class QueueMethod(MomentumMethod):
    """Momentum encoder, queue, and the mean of a loss over ordered pairs (view of the key, other view of the query).

    On several ranks, each with B of the N videos, keys are gathered, so the queue is the same on every rank and never
    synchronised.

    Args:
        embedding_dim: D.
        queue_length: number of past keys, K >= 0.
        symmetric: all global views are keys, each for the queries of all other views; otherwise the first view is the
            key and all other views are queries.
        views_together: views of one size go through an encoder in one batch, so that batch norm sees all of them;
            otherwise one after another, as in every official recipe.
        num_negatives: how many views at the end are of other times of the same videos. Their keys are negatives of all
            queries of their own video, as in the local-local loss of TCLR (arXiv:2101.07974), and of no other.
        others: see `MomentumMethod`.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        queue_length: int,
        symmetric: bool = True,
        views_together: bool = False,
        num_negatives: int = 0,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.queue = KeyQueue(queue_length, embedding_dim)
        self.symmetric = symmetric
        self.views_together = views_together
        self.num_negatives = num_negatives
        self._waiting_keys: list[list[Tensor]] = []  # of this step, per accumulated part those of each key's view

    @abstractmethod
    def pair_loss(
        self, query: Tensor, keys: Tensor, *, own: slice, negatives: Tensor | None, at: Mapping[str, float]
    ) -> Tensor:
        """Loss of one pair of views, in float32.

        Args:
            query: unit vectors, (B, D).
            keys: of the other view, unit vectors of all ranks, (N, D).
            own: the rows of `keys` that belong to the queries.
            negatives: similarities of each query to the keys of other times of its video, (B, n); -inf: none.
        """

    @abstractmethod
    def pair_relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations:
        """The distributions of `pair_loss`, without the negatives of other times."""

    def relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations:
        plain = self.pair_relations(compared, at=at)
        logits = beside(plain.logits, compared.negatives, temperature=at["temperature"])
        return replace(plain, logits=logits, target=F.pad(plain.target, (0, logits.shape[1] - plain.target.shape[1])))

    def forward(
        self, views: Sequence[Tensor], *, at: Mapping[str, float], has_negatives: Tensor | None = None
    ) -> Tensor:
        """Mean loss over the pairs of views, a float32 scalar; the keys are enqueued in `finish_step`.

        Args:
            views: the global views, local ones if the method takes them, and `num_negatives` of other times; float (B,
                C, T, H, W), of the same B videos.
            has_negatives: bool (B,), whether the views of other times are such, or to be left out; None: they are.
        """
        num_compared = len(views) - self.num_negatives
        views, of_other_times = views[:num_compared], views[num_compared:]
        self.require_views(views)
        keyed = range(self.num_global_views if self.symmetric else 1)
        asked = range(0 if self.symmetric else 1, len(views))  # the only view with a key has no query
        encoded = self._encoded(self.encode_query, views[asked.start :])
        queries = dict(zip(asked, encoded, strict=True))  # each (B, D)
        encoded = self._encoded(self.encode_key, [*views[: len(keyed)], *of_other_times])
        keys = _gathered(encoded[: len(keyed)])
        self._waiting_keys.append(keys)
        own = slice(rank() * len(views[0]), (rank() + 1) * len(views[0]))  # this rank's rows
        with torch.autocast(views[0].device.type, enabled=False):  # similarities and softmax in float32
            negatives = {view: _to_other_times(queries[view], encoded[len(keyed) :], has_negatives) for view in asked}
            losses = [
                self.pair_loss(queries[view], keys[of], own=own, negatives=negatives[view], at=at)
                for of in keyed
                for view in asked
                if view != of
            ]
        shown = self.num_global_views - 1
        of_shown = negatives[shown]
        self.compared = Compared(
            queries[shown].detach(),
            keys[0],
            rows_of(own, keys[0]),
            None if of_shown is None else of_shown.detach(),
        )
        return reduce(torch.add, losses) / len(losses)

    @torch.no_grad()
    def finish_step(self, *, at: Mapping[str, float]) -> None:
        """Update the momentum branch, then enqueue the keys, one view after the other."""
        super().finish_step(at=at)
        for keys in zip(*self._waiting_keys, strict=True):
            self.queue.enqueue(torch.cat(keys))
        self._waiting_keys.clear()

    @property
    def num_waiting_keys(self) -> int:
        """How many keys `finish_step` will enqueue."""
        return sum(len(keys) for part in self._waiting_keys for keys in part)

    def _encoded(self, encode: Callable[[Tensor], Tensor], views: Sequence[Tensor]) -> list[Tensor]:
        """The embeddings of each view, (B, D)."""
        if not self.views_together:
            return [encode(view) for view in views]
        of_shape: dict[torch.Size, list[int]] = {}
        for index, view in enumerate(views):
            of_shape.setdefault(view.shape, []).append(index)
        encoded: dict[int, Tensor] = {}
        for indices in of_shape.values():
            embeddings = encode(torch.cat([views[index] for index in indices])).chunk(len(indices))
            encoded.update(zip(indices, embeddings, strict=True))
        return [encoded[index] for index in range(len(views))]


def _gathered(own: Sequence[Tensor]) -> list[Tensor]:
    """The keys (B, D) of each view -> those of the videos of all ranks, (N, D)."""
    gathered = gathered_rows(torch.cat(list(own))).unflatten(0, (-1, len(own), len(own[0])))  # (ranks, views, B, D)
    return [of_view.flatten(0, 1) for of_view in gathered.unbind(1)]


def _to_other_times(query: Tensor, keys: Sequence[Tensor], has_negatives: Tensor | None) -> Tensor | None:
    """Similarities of each query to n keys of its own video, each (B, D) -> (B, n); None if n is 0."""
    if not keys:
        return None
    similarities = torch.stack([(query * each).sum(dim=1) for each in keys], dim=1)
    absent = torch.zeros_like(similarities, dtype=torch.bool) if has_negatives is None else ~has_negatives[:, None]
    return similarities.masked_fill(absent, float("-inf"))
