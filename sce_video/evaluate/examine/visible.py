"""Leaves out of an examination what a network cannot see: movement of videos that do not move, and blank clips."""

from collections.abc import Mapping

from torch import Tensor

from sce_video.evaluate.examine.changes import MOVEMENT_ROWS, ORDER_ROWS
from sce_video.evaluate.examine.similarity import CLIP, Rows


def visible_rows(
    rows: Mapping[str, Rows], still: Mapping[str, Tensor], *, sees_pictures: bool
) -> tuple[dict[str, Rows], dict[str, int]]:
    """Rows of movement without still videos.

    For a network that sees only differences still clips are blank: no row has still videos, nor clips that are still
    after the change, and there is no row of frozen clips.

    Args:
        still: bool (m,), by row, of its changed clips; of `CLIP` bool (n,), of all videos.
    Returns:
        The rows, and how many clips of moving videos are left out of each as they are blank, if any.
    """
    moving = {name: _where(row, ~still[CLIP][row.videos]) for name, row in rows.items()}
    if sees_pictures:
        return {name: moving[name] if name in MOVEMENT_ROWS else row for name, row in rows.items()}, {}
    # Thumbnails average over frames: those of a shuffled clip do not always show that it moves.
    found = {
        name: moving[name] if name in ORDER_ROWS else _where(row, ~(still[CLIP][row.videos] | still[name]))
        for name, row in rows.items()
        if name != "frozen"
    }
    num_blank = {name: len(moving[name].videos) - len(row.videos) for name, row in found.items()}
    return found, {name: num for name, num in num_blank.items() if num}


def visible_pairs(pairs: Tensor, still: Tensor, *, sees_pictures: bool) -> Tensor:
    """Pairs of videos, bool (n, n), without those that are blank."""
    return pairs if sees_pictures else pairs & ~(still | still[:, None])


def _where(row: Rows, chosen: Tensor) -> Rows:
    return Rows(row.features[chosen], row.videos[chosen])
