"""Similarity Contrastive Estimation, SCE (arXiv:2111.14585, 2212.11187)."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from sce_video.methods.base import Scheduled
from sce_video.methods.losses import sce_loss, sce_loss_in_batch
from sce_video.methods.queue_method import QueueMethod


class SCE(QueueMethod):
    """SCE with a momentum encoder and a queue; symmetric except in its CIFAR recipe.

    Args:
        in_batch_keys: also contrast with the other keys of the batch.
        backbone, projector, predictor, scheduled, embedding_dim, queue_length, symmetric, views_together: see
            `QueueMethod`.
    """

    SCALARS: ClassVar = ("coeff", "temperature", "target_temperature", "ema_momentum")
    TAKES_LOCAL_VIEWS: ClassVar = True

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
        symmetric: bool = True,
        views_together: bool = False,
    ) -> None:
        super().__init__(
            backbone=backbone,
            projector=projector,
            predictor=predictor,
            scheduled=scheduled,
            embedding_dim=embedding_dim,
            queue_length=queue_length,
            symmetric=symmetric,
            views_together=views_together,
        )
        self.in_batch_keys = in_batch_keys

    def pair_loss(self, query: Tensor, keys: Tensor, *, own: slice, at: Mapping[str, float]) -> Tensor:
        scalars = {name: at[name] for name in ("coeff", "temperature", "target_temperature")}
        if self.in_batch_keys:
            positive_index = torch.arange(len(keys), device=keys.device)[own]
            return sce_loss_in_batch(query, keys, self.queue.keys, positive_index=positive_index, **scalars)
        return sce_loss(query, keys[own], self.queue.keys, **scalars)
