"""BYOL: queries predict the keys of the other view, without negatives (arXiv:2006.07733)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from sce_video.methods.momentum import MomentumMethod


class BYOL(MomentumMethod):
    """BYOL with a symmetric loss, the two directions summed as in the paper.

    Without a predictor it can collapse to a constant.
    """

    SCALARS: ClassVar = ("ema_momentum",)
    NEEDS_PREDICTOR: ClassVar = True
    GATHERS_EMBEDDINGS: ClassVar = False

    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """Mean over videos of the summed squared distances between query and key, in [0, 8].

        Args:
            views: two, float (B, C, T, H, W), of the same B videos.
        """
        self.require_views(views)
        view_1, view_2 = views
        query_1, query_2 = self.encode_query(view_1), self.encode_query(view_2)  # (B, D)
        key_1, key_2 = self.encode_key(view_1), self.encode_key(view_2)
        return ((query_1 - key_2).square().sum(dim=1) + (query_2 - key_1).square().sum(dim=1)).mean()
