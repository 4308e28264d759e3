"""Leaves out of an examination what a network cannot see: movement of videos that do not move, and blank clips."""

from collections.abc import Mapping

from torch import Tensor

from sce_video.evaluate.examine.changes import MOVEMENT_ROWS
from sce_video.evaluate.examine.similarity import Rows


def visible_rows(rows: Mapping[str, Rows], still: Tensor, *, sees_pictures: bool) -> dict[str, Rows]:
    """Rows of movement without still videos.

    For a network that sees only differences, frozen clips and still videos are blank: none of them is in any row.

    Args:
        still: bool (n,), of all videos.
    """
    return {
        name: _of_moving(row, still) if name in MOVEMENT_ROWS or not sees_pictures else row
        for name, row in rows.items()
        if sees_pictures or name != "frozen"
    }


def visible_pairs(pairs: Tensor, still: Tensor, *, sees_pictures: bool) -> Tensor:
    """Pairs of videos, bool (n, n), without those that are blank."""
    return pairs if sees_pictures else pairs & ~(still | still[:, None])


def _of_moving(row: Rows, still: Tensor) -> Rows:
    moves = ~still[row.videos]
    return Rows(row.features[moves], row.videos[moves])
