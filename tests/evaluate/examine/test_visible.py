"""Rows and pairs that are left out, by hand: the video 1 of 3 is still."""

import torch
from torch import Tensor

from sce_video.evaluate.examine.similarity import Rows
from sce_video.evaluate.examine.visible import visible_pairs, visible_rows

STILL, MOVING = torch.tensor([False, True, False]), torch.tensor([False, False, False])
ALL, LAST = Rows(torch.arange(3.0)[:, None], torch.arange(3)), Rows(torch.tensor([[5.0], [6.0]]), torch.tensor([1, 2]))
ROWS = {"frozen": ALL, "reversed": ALL, "mirrored": ALL, "other_clip": LAST}


STILL_CHANGED = {"frozen": ~MOVING, "reversed": STILL, "mirrored": STILL, "other_clip": torch.tensor([True, False])}


def videos_of(*, sees_pictures: bool, **still: Tensor) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Of each row, and how many are blank."""
    rows, num_blank = visible_rows(ROWS, {"clip": STILL, **STILL_CHANGED, **still}, sees_pictures=sees_pictures)
    assert all(len(row.features) == len(row.videos) for row in rows.values())
    return {name: row.videos.tolist() for name, row in rows.items()}, num_blank


def test_still_videos_are_not_in_rows_of_movement() -> None:
    found, num_blank = videos_of(sees_pictures=True)
    assert found == {"frozen": [0, 2], "reversed": [0, 2], "mirrored": [0, 1, 2], "other_clip": [1, 2]}
    assert num_blank == {}


def test_a_network_of_differences_is_not_asked_about_pictures() -> None:
    assert videos_of(sees_pictures=False) == ({"reversed": [0, 2], "mirrored": [0, 2], "other_clip": [2]}, {})
    pairs = ~torch.eye(3, dtype=torch.bool)
    assert visible_pairs(pairs, STILL, sees_pictures=False).nonzero().tolist() == [[0, 2], [2, 0]]
    assert torch.equal(visible_pairs(pairs, STILL, sees_pictures=True), pairs)


def test_clips_that_are_still_after_the_change_are_blank_for_a_network_of_differences() -> None:
    """The video 0 mirrored, another clip of the video 2; a clip played backwards moves if it does."""
    still = {"reversed": ~MOVING, "mirrored": torch.tensor([True, True, False]), "other_clip": ~MOVING[1:]}
    found, num_blank = videos_of(sees_pictures=False, **still)
    assert found == {"reversed": [0, 2], "mirrored": [2], "other_clip": []}
    assert num_blank == {"mirrored": 1, "other_clip": 1}
    assert videos_of(sees_pictures=True, **still) == videos_of(sees_pictures=True)
