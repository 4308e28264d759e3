"""ReSSL: the query's similarities to past keys should be those of its key (arXiv:2107.09282)."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from sce_video.methods.base import Compared, Relations
from sce_video.methods.losses import queue_relations, ressl_loss
from sce_video.methods.queue_method import QueueMethod


class ReSSL(QueueMethod):
    """ReSSL; in its paper not symmetric, with a weakly augmented first view, which gives the keys."""

    SCALARS: ClassVar = ("temperature", "target_temperature", "ema_momentum")
    TAKES_LOCAL_VIEWS: ClassVar = True

    def pair_loss(
        self, query: Tensor, keys: Tensor, *, own: slice, negatives: Tensor | None, at: Mapping[str, float]
    ) -> Tensor:
        temperatures = {name: at[name] for name in ("temperature", "target_temperature")}
        return ressl_loss(query, keys[own], self.queue.keys, negatives=negatives, **temperatures)

    def pair_relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations:
        queue = self.queue.keys
        target = queue_relations(compared.keys[compared.own], queue, target_temperature=at["target_temperature"])
        return Relations(compared.query @ queue.T / at["temperature"], target, own_column=None)
