"""MoCo v3: InfoNCE between queries and the keys of the batch, without a queue (arXiv:2104.02057)."""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import permutations
from typing import ClassVar

import torch
from torch import Tensor

from sce_video.engine.cluster.collectives import gathered_rows, rank
from sce_video.methods.base import Compared, Relations, only_own
from sce_video.methods.losses import info_nce
from sce_video.methods.momentum import MomentumMethod


class MoCoV3(MomentumMethod):
    """MoCo v3, both directions of a pair of views summed as in the paper; of more views the mean over all pairs."""

    SCALARS: ClassVar = ("temperature", "ema_momentum")

    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """Sum of the losses of both directions, each times 2 * temperature.

        Args:
            views: float (B, C, T, H, W), of the same B videos.
        """
        self.require_views(views)
        queries = [self.encode_query(view) for view in views]  # each (B, D)
        keys = [gathered_rows(self.encode_key(view)) for view in reversed(views)][::-1]  # each (N, D)
        directions = list(permutations(range(len(views)), 2))
        temperature, device = at["temperature"], views[0].device
        with torch.autocast(device.type, enabled=False):
            first = rank() * len(views[0])  # index of this rank's first key
            positives = torch.arange(first, first + len(views[0]), device=device)
            self.compared = Compared(queries[-1].detach(), keys[0], positives)
            losses = [
                info_nce(queries[asking], keys[of], positive_index=positives, temperature=temperature)
                for asking, of in directions
            ]
        return 2 * temperature * reduce(torch.add, losses) / (len(directions) / 2)

    def relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations:
        logits = compared.query @ compared.keys.T / at["temperature"]
        return only_own(logits, compared.own, scale=4 * at["temperature"])  # two directions are summed
