"""Similarity Contrastive Estimation, SCE (arXiv:2111.14585, 2212.11187)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from sce_video.engine.cluster.collectives import gathered_rows, rank
from sce_video.methods.base import Scheduled
from sce_video.methods.losses import sce_loss, sce_loss_in_batch
from sce_video.methods.momentum import MomentumMethod
from sce_video.methods.queue import KeyQueue


class SCE(MomentumMethod):
    """SCE with a momentum encoder, a queue and a symmetric loss.

    On several ranks, each with B of the N videos, keys are gathered, so the queue is the same on every rank and never
    synchronised.

    Args:
        embedding_dim: D.
        queue_length: number of past keys, K >= 0.
        in_batch_keys: also contrast with the other keys of the batch.
        backbone, projector, predictor, scheduled: see `MomentumMethod`.
    """

    SCALARS: ClassVar = ("coeff", "temperature", "target_temperature", "ema_momentum")

    def __init__(
        self,
        *,
        backbone: nn.Module,
        projector: nn.Module,
        predictor: nn.Module,
        scheduled: Mapping[str, Scheduled],
        embedding_dim: int,
        queue_length: int,
        in_batch_keys: bool,
    ) -> None:
        super().__init__(backbone=backbone, projector=projector, predictor=predictor, scheduled=scheduled)
        self.queue = KeyQueue(queue_length, embedding_dim)
        self.in_batch_keys = in_batch_keys
        self._waiting_keys: list[tuple[Tensor, Tensor]] = []  # of this step, one pair per accumulated part

    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """Mean loss of both directions, a float32 scalar; the keys are enqueued in `finish_step`.

        Args:
            views: two, float (B, C, T, H, W), of the same B videos.
        """
        view_1, view_2 = views
        query_1, query_2 = self.encode_query(view_1), self.encode_query(view_2)  # (B, D)
        key_1, key_2 = self.encode_key(view_1), self.encode_key(view_2)
        gathered = gathered_rows(torch.cat([key_1, key_2])).unflatten(0, (-1, 2, len(key_1)))  # (ranks, 2, B, D)
        keys_1, keys_2 = (gathered[:, view].flatten(0, 1) for view in (0, 1))  # (N, D)
        self._waiting_keys.append((keys_1, keys_2))
        return (self._loss(query_2, keys_1, at) + self._loss(query_1, keys_2, at)) / 2

    @torch.no_grad()
    def finish_step(self, *, at: Mapping[str, float]) -> None:
        """Update the momentum branch, then enqueue the keys of view 1 and of view 2."""
        super().finish_step(at=at)
        for keys in zip(*self._waiting_keys, strict=True):
            self.queue.enqueue(torch.cat(keys))
        self._waiting_keys.clear()

    def _loss(self, query: Tensor, keys: Tensor, at: Mapping[str, float]) -> Tensor:
        own = slice(rank() * len(query), (rank() + 1) * len(query))  # this rank's rows
        scalars = {name: at[name] for name in ("coeff", "temperature", "target_temperature")}
        with torch.autocast(query.device.type, enabled=False):  # similarities and softmax in float32
            if self.in_batch_keys:
                positive_index = torch.arange(len(keys), device=keys.device)[own]
                return sce_loss_in_batch(query, keys, self.queue.keys, positive_index=positive_index, **scalars)
            return sce_loss(query, keys[own], self.queue.keys, **scalars)
