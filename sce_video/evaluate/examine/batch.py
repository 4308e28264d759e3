"""A small examination of the clips in a training batch, for a look at a network while it trains."""

from collections.abc import Callable

import torch
from torch import Tensor

from sce_video.evaluate.examine.changes import OTHER_CLIP, frozen, reversed_in_time
from sce_video.evaluate.examine.similarity import Rows, Similarities, similarities

_ROWS = ("frozen", "reversed", OTHER_CLIP)


def batch_similarities(
    backbone: Callable[[Tensor], Tensor], clips: Tensor, others: Tensor, *, make_views: Callable[[Tensor], Tensor]
) -> Similarities:
    """Similarities of clips to themselves frozen and reversed, and to other clips of the same videos.

    Args:
        backbone: in eval mode; gets the four clips of a video at a time.
        clips, others: of at least two videos, uint8 (B, T, C, S, S) with T > 1.
        make_views: uint8 (4, T, C, S, S) -> float (4, C, T, S, S) on the backbone's device.
    """
    of_videos = []
    for clip, other in zip(clips, others, strict=True):
        views = make_views(torch.stack([clip, frozen(clip), reversed_in_time(clip), other]))
        of_videos.append(backbone(views).float().cpu())
    features, *changed = torch.stack(of_videos, dim=1)  # each (B, D)
    videos = torch.arange(len(clips))
    rows = {name: Rows(row, videos) for name, row in zip(_ROWS, changed, strict=True)}
    return similarities(features, rows, is_other=~torch.eye(len(clips), dtype=torch.bool))
