"""MoCo v2: InfoNCE between a query, its key and a queue of past keys (arXiv:1911.05722, 2003.04297)."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from sce_video.methods.base import Compared, Relations, only_own
from sce_video.methods.losses import moco_loss, queue_similarities
from sce_video.methods.queue_method import QueueMethod


class MoCoV2(QueueMethod):
    """MoCo v2; in its paper not symmetric, and without predictor.

    Its shuffling of batches over GPUs is replaced by batch norm over all of them, as in SCE's recipes.
    """

    SCALARS: ClassVar = ("temperature", "ema_momentum")

    def pair_loss(
        self, query: Tensor, keys: Tensor, *, own: slice, negatives: Tensor | None, at: Mapping[str, float]
    ) -> Tensor:
        return moco_loss(query, keys[own], self.queue.keys, temperature=at["temperature"], negatives=negatives)

    def pair_relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations:
        own = compared.keys[compared.own]
        logits = queue_similarities(compared.query, own, self.queue.keys) / at["temperature"]
        return only_own(logits, torch.zeros_like(compared.own))
