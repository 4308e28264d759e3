"""ReSSL: the query's similarities to past keys should be those of its key (arXiv:2107.09282)."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from sce_video.methods.losses import ressl_loss
from sce_video.methods.queue_method import QueueMethod


class ReSSL(QueueMethod):
    """ReSSL; in its paper not symmetric, with a weakly augmented first view, which gives the keys."""

    SCALARS: ClassVar = ("temperature", "target_temperature", "ema_momentum")
    TAKES_LOCAL_VIEWS: ClassVar = True

    def pair_loss(self, query: Tensor, keys: Tensor, *, own: slice, at: Mapping[str, float]) -> Tensor:
        temperatures = {name: at[name] for name in ("temperature", "target_temperature")}
        return ressl_loss(query, keys[own], self.queue.keys, **temperatures)
