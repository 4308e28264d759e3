"""Rows and pairs that are left out, by hand: the video 1 of 3 is still."""

import torch

from sce_video.evaluate.examine.similarity import Rows
from sce_video.evaluate.examine.visible import visible_pairs, visible_rows

STILL = torch.tensor([False, True, False])
ALL, LAST = Rows(torch.arange(3.0)[:, None], torch.arange(3)), Rows(torch.tensor([[5.0], [6.0]]), torch.tensor([1, 2]))
ROWS = {"frozen": ALL, "reversed": ALL, "mirrored": ALL, "other_clip": LAST}


def videos_of(*, sees_pictures: bool) -> dict[str, list[int]]:
    rows = visible_rows(ROWS, STILL, sees_pictures=sees_pictures)
    assert all(len(row.features) == len(row.videos) for row in rows.values())
    return {name: row.videos.tolist() for name, row in rows.items()}


def test_still_videos_are_not_in_rows_of_movement() -> None:
    found = videos_of(sees_pictures=True)
    assert found == {"frozen": [0, 2], "reversed": [0, 2], "mirrored": [0, 1, 2], "other_clip": [1, 2]}


def test_a_network_of_differences_is_not_asked_about_pictures() -> None:
    assert videos_of(sees_pictures=False) == {"reversed": [0, 2], "mirrored": [0, 2], "other_clip": [2]}
    pairs = ~torch.eye(3, dtype=torch.bool)
    assert visible_pairs(pairs, STILL, sees_pictures=False).nonzero().tolist() == [[0, 2], [2, 0]]
    assert torch.equal(visible_pairs(pairs, STILL, sees_pictures=True), pairs)
