"""SimCLR: NT-Xent between the two views of a video, with the batch's other views as negatives (arXiv:2002.05709)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from sce_video.engine.cluster.collectives import gathered_rows_with_gradient, rank
from sce_video.methods.base import Compared, Method, Relations, Scheduled, only_own, unit
from sce_video.methods.losses import info_nce


class SimCLR(Method):
    """SimCLR: backbone -> projector; views of all ranks are contrasted, with gradient across ranks.

    Args:
        backbone: (B, C, T, H, W) -> (B, F).
        projector: (B, F) -> (B, D).
        scheduled: schedule of the temperature.
    """

    SCALARS: ClassVar = ("temperature",)

    def __init__(self, *, backbone: nn.Module, projector: nn.Module, scheduled: Mapping[str, Scheduled]) -> None:
        super().__init__(scheduled=scheduled)
        self.backbone = backbone
        self.projector = projector

    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """NT-Xent, averaged over both views of this rank's videos.

        Args:
            views: two, float (B, C, T, H, W), of the same B videos.
        """
        self.require_views(views)
        own = torch.cat([unit(self.projector(self.backbone(view))) for view in views])  # (2B, D)
        gathered = gathered_rows_with_gradient(own)  # (ranks * 2B, D)
        with torch.autocast(own.device.type, enabled=False):
            self_index = torch.arange(len(own), device=own.device) + rank() * len(own)
            other_view = self_index.roll(len(own) // 2)
            query, queries_key = (rows.detach() for rows in (own[: len(own) // 2], other_view[: len(own) // 2]))
            self.compared = Compared(query, gathered.detach(), queries_key)
            return info_nce(
                own, gathered, positive_index=other_view, temperature=at["temperature"], excluded_index=self_index
            )

    def relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations:
        num_videos = len(compared.query)
        logits = compared.query @ compared.keys.T / at["temperature"]  # (B, ranks * 2B)
        itself = torch.arange(num_videos, device=logits.device) + 2 * num_videos * rank()
        return only_own(logits.scatter(1, itself[:, None], float("-inf")), compared.own)
