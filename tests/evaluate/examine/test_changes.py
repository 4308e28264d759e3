"""Each change on clips made by hand, and the order of the rows."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from sce_video.evaluate.examine.changes import (
    changed_clips,
    cropped,
    frozen,
    gray,
    mirrored,
    reversed_in_time,
    row_names,
    shuffled,
    shuffled_order,
)


def clip_of(*frames: int, side: int = 8) -> Tensor:
    """uint8 (T, 3, S, S), each frame of one value."""
    return torch.tensor(frames, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, side, side).contiguous()


def values_of(clip: Tensor) -> list[int]:
    return clip[:, 0, 0, 0].tolist()


def test_changes_of_movement() -> None:
    clip = clip_of(10, 20, 30, 40, 50)
    assert values_of(frozen(clip)) == [30] * 5
    assert values_of(reversed_in_time(clip)) == [50, 40, 30, 20, 10]
    assert sorted(values_of(shuffled(clip))) == values_of(clip)


@pytest.mark.parametrize("num_frames", [2, 3, 4, 8, 16, 64])
def test_no_frame_is_followed_by_its_successor(num_frames: int) -> None:
    order = shuffled_order(num_frames)
    assert sorted(order) == list(range(num_frames))
    assert 1 not in [second - first for first, second in pairwise(order)]
    assert order == shuffled_order(num_frames)


def test_changes_of_appearance() -> None:
    left = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    left[..., 0] = 200
    assert mirrored(left)[..., 7].unique().tolist() == [200]
    red = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    red[:, 0] = 200
    assert gray(red).unique().tolist() == [60]  # 0.2989 x 200
    assert gray(red).shape == red.shape
    corner = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    corner[..., :6, :6] = 100
    assert cropped(corner).unique().tolist() == [100]  # the upper left 6 of 8 pixels are all that is left
    assert cropped(corner).shape == corner.shape


def test_rows_are_in_the_order_of_their_names() -> None:
    clip, slow, other = clip_of(10, 20, 30), clip_of(1, 1, 2), clip_of(7, 8, 9)
    rows = changed_clips(torch.stack([clip, slow, other]))
    by_name = dict(zip(row_names(3), map(values_of, rows), strict=True))
    assert by_name["clip"] == by_name["gray"] == by_name["cropped"] == by_name["mirrored"] == [10, 20, 30]
    assert (by_name["frozen"], by_name["reversed"]) == ([20] * 3, [30, 20, 10])
    assert (by_name["other_speed"], by_name["other_clip"]) == ([1, 1, 2], [7, 8, 9])
    assert len(changed_clips(torch.stack([clip, slow]))) == len(row_names(3)) - 1


def test_a_single_frame_has_no_movement() -> None:
    assert row_names(1) == ("clip", "mirrored", "gray", "cropped", "other_clip")
    assert len(changed_clips(torch.stack([clip_of(1), clip_of(1)]))) == 4
