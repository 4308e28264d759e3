"""A small examination of the clips in a training batch, for a look at a network while it trains."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sce_video.evaluate.examine.changes import OTHER_CLIP, frozen, reversed_in_time
from sce_video.evaluate.examine.similarity import CLIP, Rows, Similarities, similarities
from sce_video.evaluate.examine.thumbnails import are_still, thumbnails_of
from sce_video.evaluate.examine.visible import visible_pairs, visible_rows

_ROWS = ("frozen", "reversed", OTHER_CLIP)


class BatchExamination(NamedTuple):
    """Similarities, and how many videos move visibly; None if there are no two videos that the network can see."""

    similarities: Similarities | None
    num_moving: int


def examine_batch(
    backbone: Callable[[Tensor], Tensor],
    clips: Tensor,
    others: Tensor,
    *,
    make_views: Callable[[Tensor], Tensor],
    sees_pictures: bool,
) -> BatchExamination:
    """Similarities of clips to themselves frozen and reversed, and to other clips of the same videos.

    Args:
        backbone: in eval mode; gets the four clips of a video at a time.
        clips, others: of at least two videos, uint8 (B, T, C, S, S) with T > 1.
        make_views: uint8 (4, T, C, S, S) -> float (4, C, T, S, S) on the backbone's device.
        sees_pictures: the network sees frames, not only their differences.
    """
    of_videos, thumbnails = [], []
    for clip, other in zip(clips, others, strict=True):
        views = make_views(torch.stack([clip, frozen(clip), reversed_in_time(clip), other]))
        thumbnails.append(thumbnails_of(views).cpu())
        of_videos.append(backbone(views).float().cpu())
    features, *changed = torch.stack(of_videos, dim=1)  # each (B, D)
    videos = torch.arange(len(clips))
    still = dict(zip((CLIP, *_ROWS), map(are_still, torch.stack(thumbnails, dim=1)), strict=True))
    num_moving = int((~still[CLIP]).sum())
    pairs = visible_pairs(~torch.eye(len(clips), dtype=torch.bool), still[CLIP], sees_pictures=sees_pictures)
    if not pairs.any():
        return BatchExamination(None, num_moving)
    rows = {name: Rows(row, videos) for name, row in zip(_ROWS, changed, strict=True)}
    visible, _ = visible_rows(rows, still, sees_pictures=sees_pictures)
    return BatchExamination(similarities(features, visible, is_other=pairs), num_moving)
