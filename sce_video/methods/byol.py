"""BYOL: queries predict the keys of the other views, without negatives (arXiv:2006.07733)."""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import permutations
from typing import ClassVar

import torch
from torch import Tensor

from sce_video.methods.base import Compared, rows_of
from sce_video.methods.momentum import MomentumMethod


class BYOL(MomentumMethod):
    """BYOL, both directions of a pair of views summed as in the paper; of more views the mean over all pairs.

    Without a predictor it can collapse to a constant.
    """

    SCALARS: ClassVar = ("ema_momentum",)
    NEEDS_PREDICTOR: ClassVar = True
    GATHERS_EMBEDDINGS: ClassVar = False
    CHANCE_LOSS: ClassVar = 4.0  # orthogonal query and key, squared distance 2, in both directions

    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """Mean over videos of the summed squared distances between query and key, in [0, 8].

        Args:
            views: float (B, C, T, H, W), of the same B videos.
        """
        self.require_views(views)
        queries, keys = ([encode(view) for view in views] for encode in (self.encode_query, self.encode_key))
        self.compared = Compared(queries[-1].detach(), keys[0], rows_of(slice(None), keys[0]))
        directions = list(permutations(range(len(views)), 2))
        distances = [(queries[asking] - keys[of]).square().sum(dim=1) for asking, of in directions]  # each (B,)
        return reduce(torch.add, distances).mean() / (len(directions) / 2)
