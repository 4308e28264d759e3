"""Base class of methods that compare queries with keys of other views and with a queue of past keys."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from sce_video.engine.cluster.collectives import gathered_rows, rank
from sce_video.methods.base import Compared, rows_of
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
        others: see `MomentumMethod`.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        queue_length: int,
        symmetric: bool = True,
        views_together: bool = False,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.queue = KeyQueue(queue_length, embedding_dim)
        self.symmetric = symmetric
        self.views_together = views_together
        self._waiting_keys: list[list[Tensor]] = []  # of this step, per accumulated part those of each key's view

    @abstractmethod
    def pair_loss(self, query: Tensor, keys: Tensor, *, own: slice, at: Mapping[str, float]) -> Tensor:
        """Loss of one pair of views, in float32.

        Args:
            query: unit vectors, (B, D).
            keys: of the other view, unit vectors of all ranks, (N, D).
            own: the rows of `keys` that belong to the queries.
        """

    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """Mean loss over the pairs of views, a float32 scalar; the keys are enqueued in `finish_step`.

        Args:
            views: the global views, then local ones if the method takes them; float (B, C, T, H, W), of the same B
                videos.
        """
        self.require_views(views)
        keyed = range(self.num_global_views if self.symmetric else 1)
        asked = range(0 if self.symmetric else 1, len(views))  # the only view with a key has no query
        encoded = self._encoded(self.encode_query, views[asked.start :])
        queries = dict(zip(asked, encoded, strict=True))  # each (B, D)
        keys = self._gathered_keys(views[: len(keyed)])
        self._waiting_keys.append(keys)
        own = slice(rank() * len(views[0]), (rank() + 1) * len(views[0]))  # this rank's rows
        self.compared = Compared(queries[self.num_global_views - 1].detach(), keys[0], rows_of(own, keys[0]))
        with torch.autocast(views[0].device.type, enabled=False):  # similarities and softmax in float32
            losses = [
                self.pair_loss(queries[view], keys[of], own=own, at=at) for of in keyed for view in asked if view != of
            ]
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

    def _gathered_keys(self, views: Sequence[Tensor]) -> list[Tensor]:
        """The keys of each view, of the videos of all ranks, (N, D)."""
        own = self._encoded(self.encode_key, views)  # each (B, D)
        gathered = gathered_rows(torch.cat(own)).unflatten(0, (-1, len(own), len(own[0])))  # (ranks, views, B, D)
        return [of_view.flatten(0, 1) for of_view in gathered.unbind(1)]

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
