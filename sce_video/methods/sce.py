"""Similarity Contrastive Estimation, SCE (arXiv:2111.14585, 2212.11187)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from sce_video.methods.base import Compared, Relations
from sce_video.methods.losses import (
    queue_similarities,
    sce_loss,
    sce_loss_in_batch,
    sce_target,
    sce_target_in_batch,
)
from sce_video.methods.queue_method import QueueMethod


class SCE(QueueMethod):
    """SCE with a momentum encoder and a queue; symmetric except in its CIFAR recipe.

    Args:
        in_batch_keys: also contrast with the other keys of the batch.
        others: see `QueueMethod`.
    """

    SCALARS: ClassVar = ("coeff", "temperature", "target_temperature", "ema_momentum")
    TAKES_LOCAL_VIEWS: ClassVar = True

    def __init__(self, *, in_batch_keys: bool, **others: Any) -> None:
        super().__init__(**others)
        self.in_batch_keys = in_batch_keys

    def pair_loss(
        self, query: Tensor, keys: Tensor, *, own: slice, negatives: Tensor | None, at: Mapping[str, float]
    ) -> Tensor:
        scalars = {name: at[name] for name in ("coeff", "temperature", "target_temperature")}
        if self.in_batch_keys:
            positive_index = torch.arange(len(keys), device=keys.device)[own]
            return sce_loss_in_batch(
                query, keys, self.queue.keys, positive_index=positive_index, negatives=negatives, **scalars
            )
        return sce_loss(query, keys[own], self.queue.keys, negatives=negatives, **scalars)

    def pair_relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations:
        query, keys, queue = compared.query, compared.keys, self.queue.keys
        scalars = {name: at[name] for name in ("coeff", "target_temperature")}
        if self.in_batch_keys:
            candidates = torch.cat([keys, queue])  # (N+K, D)
            target = sce_target_in_batch(candidates, positive_index=compared.own, **scalars)
            return Relations(query @ candidates.T / at["temperature"], target, compared.own)
        own = keys[compared.own]
        logits = queue_similarities(query, own, queue) / at["temperature"]
        return Relations(logits, sce_target(own, queue, **scalars), torch.zeros_like(compared.own))
