"""MoCo v3: InfoNCE between queries and the keys of the batch, without a queue (arXiv:2104.02057)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from sce_video.engine.cluster.collectives import gathered_rows, rank
from sce_video.methods.losses import info_nce
from sce_video.methods.momentum import MomentumMethod


class MoCoV3(MomentumMethod):
    """MoCo v3 with a symmetric loss, the two directions summed as in the paper."""

    SCALARS: ClassVar = ("temperature", "ema_momentum")

    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """Sum of the losses of both directions, each times 2 * temperature.

        Args:
            views: two, float (B, C, T, H, W), of the same B videos.
        """
        self.require_views(views)
        view_1, view_2 = views
        queries = [self.encode_query(view_1), self.encode_query(view_2)]  # (B, D)
        keys = [gathered_rows(self.encode_key(view)) for view in (view_2, view_1)]  # (N, D), each of the other view
        temperature = at["temperature"]
        with torch.autocast(view_1.device.type, enabled=False):
            first = rank() * len(view_1)  # index of this rank's first key
            positives = torch.arange(first, first + len(view_1), device=view_1.device)
            losses = [
                info_nce(query, others, positive_index=positives, temperature=temperature)
                for query, others in zip(queries, keys, strict=True)
            ]
        return 2 * temperature * (losses[0] + losses[1])
