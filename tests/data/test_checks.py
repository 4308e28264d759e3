import logging
from pathlib import Path

import numpy as np
import pytest

from sce_video.data.checks import require_files, say_repeated
from sce_video.data.manifest import Manifest
from sce_video.errors import ManifestError


def listed(root: Path, num_videos: int, *, num_there: int) -> Manifest:
    for video in range(num_there):
        (root / f"{video}.mp4").touch()
    paths = [f"{video}.avi" for video in range(num_videos)]
    return Manifest(root, paths, None, "list.txt", lines=range(1, num_videos + 1))


def test_a_wrong_root_is_noticed_at_once(tmp_path: Path) -> None:
    words = f"^list.txt: none of the 3 videos exists, for example {tmp_path}/0.avi .list.txt, line 1.; check DATA.ROOT"
    with pytest.raises(ManifestError, match=words):
        require_files(listed(tmp_path, 3, num_there=0), max_missing_share=1.0)
    require_files(listed(tmp_path, 3, num_there=3), max_missing_share=0.0)


def test_what_is_missing_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    videos = listed(tmp_path, 200, num_there=180)
    require_files(videos, max_missing_share=0.1)
    missing = f"list.txt: 20 of the 200 videos do not exist, for example {tmp_path}/180.avi (list.txt, line 181)"
    assert caplog.messages == [missing]
    with pytest.raises(ManifestError) as raised:
        require_files(videos, max_missing_share=0.09)
    assert str(raised.value) == f"{missing}; DATA.MAX_FAILED_SHARE 0.09 allows fewer"


def test_of_a_long_list_a_part_is_looked_for(tmp_path: Path) -> None:
    """The first half is there; the first 32 alone would say that all is."""
    videos = listed(tmp_path, 10_000, num_there=5_000)
    with pytest.raises(ManifestError, match="1024 of the 2048 videos looked at do not exist"):
        require_files(videos, max_missing_share=0.49)


def test_videos_in_memory_need_no_files(tmp_path: Path) -> None:
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    require_files(Manifest(tmp_path, ["a", "b"], None, "cifar10", pixels=pixels), max_missing_share=0.0)


def test_videos_that_stand_in_a_list_twice_are_said(caplog: pytest.LogCaptureFixture) -> None:
    paths = ["a", "b", "a", "c", "a", "c"]
    say_repeated(Manifest(Path(), paths, [0, 1, 0, 2, 3, 2], "list.txt", lines=range(1, 7)))
    assert caplog.messages == [
        "list.txt: 2 videos stand in it more than once, such as a (line 1: label 0, line 3: label 0)",
        "list.txt: 1 videos stand in it with different labels, such as a (line 1: label 0, line 5: label 3)",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    caplog.clear()
    say_repeated(Manifest(Path(), ["x/a", "./x/a", "http://h//b", "http://h/b"], [0, 1, 0, 0], "list.txt"))
    assert caplog.messages == [
        "list.txt: 1 videos stand in it more than once, such as x/a (number 1: label 0, number 2: label 1)",
        "list.txt: 1 videos stand in it with different labels, such as x/a (number 1: label 0, number 2: label 1)",
    ]
    caplog.clear()
    say_repeated(Manifest(Path(), ["a", "b"], [0, 0], "list.txt"))
    assert caplog.messages == []
