"""Sizes by hand: the long side is floor(long * short_side_pixels / short)."""

import pytest

from sce_video.clips.sizes import size_at_short_side


@pytest.mark.parametrize(
    ("height", "width", "short_side", "expected"),
    [
        (240, 320, 120, (120, 160)),
        (320, 240, 120, (160, 120)),
        (244, 112, 112, (244, 112)),  # in floats one row less
        (100, 299, 33, (33, 98)),  # 98.67
        (16, 16, 256, (256, 256)),
        (1, 7, 3, (3, 21)),
    ],
)
def test_short_side(height: int, width: int, short_side: int, expected: tuple[int, int]) -> None:
    assert size_at_short_side(height, width, short_side_pixels=short_side) == expected
