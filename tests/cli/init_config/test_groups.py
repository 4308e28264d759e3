"""Groups by names, and whether their videos look alike."""

from collections.abc import Sequence

import pytest
import torch

from sce_video.cli.init_config.groups import DIVISIONS, find_groups, group_of
from sce_video.cli.init_config.look import Sample, Seen


@pytest.mark.parametrize(
    ("path", "name", "whole"),
    [
        ("a/s1_p2_t03.mp4", "s1_p2", "a/s1_p2"),
        ("v_ApplyEyeMakeup_g01_c02.avi", "v_ApplyEyeMakeup_g01", "v_ApplyEyeMakeup_g01"),
        ("session-3 take 12.mp4", "session-3 take", "session-3 take"),
        ("walk/0001.mp4", "", "walk/"),
        ("walk/IMG_1234.MOV", "IMG", "walk/IMG"),
        ("run/clip7", "", "run/"),  # a folder of frames
        ("noon.mp4", "", ""),
        ("a/noon.mp4", "", ""),
    ],
)
def test_names_and_paths_without_the_last_number(path: str, name: str, whole: str) -> None:
    assert group_of(path, DIVISIONS["the beginning of the file name"]) == name
    assert group_of(path, DIVISIONS["the beginning of the path"]) == whole


def sample_with_levels(levels: Sequence[float]) -> Sample:
    """Videos of one gray level each."""
    seen = {i: Seen(2.0, 30.0, 60, 240, 320, torch.full((5, 24, 32), float(level))) for i, level in enumerate(levels)}
    return Sample(seen, {})


PATHS = [f"nod/room{room}_{take}.mp4" for room in range(4) for take in range(5)]


def test_rooms_by_file_names() -> None:
    groups = find_groups(PATHS, sample_with_levels([50 * room + 2 * take for room in range(4) for take in range(5)]))
    assert groups is not None
    assert (groups.words, groups.num_groups, groups.example) == ("the beginning of the file name", 4, "room0")
    assert groups.within < 9 < 40 < groups.between
    assert groups.look_alike


def test_names_whose_groups_do_not_look_alike_are_no_sessions() -> None:
    assert find_groups(PATHS, sample_with_levels([50 * take + room for room in range(4) for take in range(5)])) is None
    assert find_groups(["a.mp4", "b.mp4"], sample_with_levels([1.0, 2.0])) is None


def test_a_room_with_two_classes_is_one_group() -> None:
    paths = [f"{name}/room{room}_{take}.mp4" for name in ("nod", "wave") for room in range(4) for take in range(5)]
    levels = [50 * room + 2 * take for _ in range(2) for room in range(4) for take in range(5)]
    groups = find_groups(paths, sample_with_levels(levels))
    assert groups is not None
    assert (groups.num_groups, groups.example) == (4, "room0")
    # Other rooms under the same names in the second folder.
    apart = find_groups(paths, sample_with_levels([*levels[:20], *(240 - level for level in levels[20:])]))
    assert apart is not None
    assert (apart.num_groups, apart.example) == (8, "nod/room0")


def test_folders_of_days() -> None:
    paths = [f"day{day}/{name}.mp4" for day in range(3) for name in "abcdef"]
    groups = find_groups(paths, sample_with_levels([80 * day + i for day in range(3) for i in range(6)]))
    assert groups is not None
    assert (groups.words, groups.num_groups) == ("the folder", 3)
