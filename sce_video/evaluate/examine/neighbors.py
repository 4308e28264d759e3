"""What nearest neighbours have in common, beside what chance gives."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.evaluate.chance import error_of_share
from sce_video.evaluate.examine.thumbnails import NUM_THUMBNAIL_FRAMES, are_still

SAME_GROUP, SAME_CLASS, SAME_CLASS_OTHER_GROUP = "same_group", "same_class", "same_class_of_other_groups"
# Near-duplicates: correlation of thumbnails, and of how they change in time where they change visibly.
_SAME_PICTURE, _SAME_MOVEMENT, _SAME_STILL = 0.98, 0.9, 0.999
_TIE = 1e-12


class Share(NamedTuple):
    """Share of videos whose nearest neighbour matches, its standard error, and the share by chance.

    Of the `num_videos` that could have a matching neighbour and another one.
    """

    share: float
    chance: float
    error: float
    num_videos: int


def shares(
    distances: Tensor, *, is_other: Tensor, groups: Sequence[str] | None, labels: Sequence[int] | None
) -> dict[str, Share]:
    """Shares of nearest neighbours of the same group, of the same class, and of the same class in other groups.

    Args:
        distances: (n, n).
        is_other: bool (n, n), the pairs that are compared.
        groups: of each video; one without a group ("") is in none of the pairs.
        labels: of each video.
    """
    found: dict[str, Share | None] = {}
    same_class = None if labels is None else _equal(labels)
    if groups is not None:
        same, known = _equal(groups), torch.tensor([group != "" for group in groups])
        both = is_other & known & known[:, None]
        found[SAME_GROUP] = share_of_nearest(distances, candidates=both, matches=same)
    if same_class is not None:
        found[SAME_CLASS] = share_of_nearest(distances, candidates=is_other, matches=same_class)
    if groups is not None and same_class is not None:
        found[SAME_CLASS_OTHER_GROUP] = share_of_nearest(distances, candidates=both & ~same, matches=same_class)
    return {name: share for name, share in found.items() if share is not None}


def share_of_nearest(distances: Tensor, *, candidates: Tensor, matches: Tensor) -> Share | None:
    """Share of videos whose nearest candidate is a match; of several equally near ones each counts in part.

    The share by chance is exact: the mean over videos of the share of matches among their candidates.

    Args:
        distances: (n, n).
        candidates, matches: bool (n, n).
    Returns:
        None if no video has both a matching candidate and another one.
    """
    matching, num_candidates = (candidates & matches).sum(dim=1), candidates.sum(dim=1)
    asked = (matching > 0) & (matching < num_candidates)
    if not asked.any():
        return None
    chance = (matching[asked] / num_candidates[asked].double()).mean().item()
    among = distances[asked].masked_fill(~candidates[asked], torch.inf)
    nearest = among <= among.min(dim=1, keepdim=True).values + _TIE
    of_video = (nearest & matches[asked]).sum(dim=1) / nearest.sum(dim=1).double()
    share, num = of_video.mean().item(), len(of_video)
    return Share(share, chance, error_of_share(share, num_videos=num), num)


def near_duplicates(thumbnails: Tensor) -> Tensor:
    """Pairs of videos that show the same, encoded or cut anew, bool (n, n); the diagonal is true.

    Their thumbnails look the same and change in the same way. Videos of one scene only look the same; where neither
    changes visibly, more likeness is required.

    Args:
        thumbnails: of the clips, with their frames first, float (n, T * rest).
    """
    frames = thumbnails.double().unflatten(1, (NUM_THUMBNAIL_FRAMES, -1))
    changes = (frames - frames.mean(dim=1, keepdim=True)).flatten(1)
    pictures = frames.flatten(1)
    alike, move_alike = _correlations(pictures - pictures.mean(dim=1, keepdim=True)), _correlations(changes)
    still = are_still(thumbnails)
    both_still = still & still[:, None]
    moving = (alike > _SAME_PICTURE) & (move_alike > _SAME_MOVEMENT) & ~(still | still[:, None])
    return moving | ((alike > _SAME_STILL) & both_still) | torch.eye(len(thumbnails), dtype=torch.bool)


def _correlations(centered: Tensor) -> Tensor:
    units = F.normalize(centered, dim=1)
    return units @ units.T


def _equal(values: Sequence[object]) -> Tensor:
    """bool (n, n)"""
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    of_each = torch.tensor([numbers[value] for value in values])
    return of_each == of_each[:, None]
