"""Groups by names, and whether their videos look alike."""

from collections.abc import Sequence

import pytest
import torch

from sce_video.cli.init_config.groups import file_prefix, find_groups
from sce_video.cli.init_config.look import Sample, Seen


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("a/s1_p2_t03.mp4", "a/s1_p2"),
        ("v_ApplyEyeMakeup_g01_c02.avi", "v_ApplyEyeMakeup_g01"),
        ("session-3 take 12.mp4", "session-3 take"),
        ("walk/0001.mp4", ""),
        ("IMG_1234.MOV", "IMG"),
        ("noon.mp4", ""),
    ],
)
def test_the_name_without_its_last_number(path: str, prefix: str) -> None:
    assert file_prefix(path) == prefix


def sample_with_levels(levels: Sequence[float]) -> Sample:
    """Videos of one gray level each."""
    seen = {i: Seen(2.0, 30.0, 60, 240, 320, torch.full((5, 24, 32), float(level))) for i, level in enumerate(levels)}
    return Sample(seen, {})


PATHS = [f"nod/room{room}_{take}.mp4" for room in range(4) for take in range(5)]


def test_rooms_by_file_names() -> None:
    groups = find_groups(PATHS, sample_with_levels([50 * room + 2 * take for room in range(4) for take in range(5)]))
    assert groups is not None
    assert (groups.words, groups.num_groups, groups.example) == ("the beginning of the file name", 4, "nod/room0")
    assert groups.within < 9 < 40 < groups.between
    assert groups.look_alike


def test_names_whose_groups_do_not_look_alike_are_no_sessions() -> None:
    assert find_groups(PATHS, sample_with_levels([50 * take + room for room in range(4) for take in range(5)])) is None
    assert find_groups(["a.mp4", "b.mp4"], sample_with_levels([1.0, 2.0])) is None


def test_folders_of_days() -> None:
    paths = [f"day{day}/{name}.mp4" for day in range(3) for name in "abcdef"]
    groups = find_groups(paths, sample_with_levels([80 * day + i for day in range(3) for i in range(6)]))
    assert groups is not None
    assert (groups.words, groups.num_groups) == ("the folder", 3)
