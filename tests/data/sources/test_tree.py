import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.sources.tree import VIDEO_SUFFIXES, files_below
from sce_video.errors import ManifestError

Write = Callable[..., Path]


@given(st.lists(st.lists(st.sampled_from(["a", "a-b", "a b", "B", "z"]), min_size=1, max_size=3), max_size=6))
def test_files_are_sorted_part_by_part(tmp_path_factory: pytest.TempPathFactory, folders: list[list[str]]) -> None:
    top = tmp_path_factory.mktemp("tree")
    for parts in folders:
        top.joinpath(*parts).mkdir(parents=True, exist_ok=True)
        (top.joinpath(*parts) / "v.mp4").touch()
        (top.joinpath(*parts) / "v.txt").touch()
    expected = [str(path.relative_to(top)) for path in sorted(top.rglob("*.mp4"))]  # pathlib compares parts
    assert files_below(top, VIDEO_SUFFIXES) == expected


def test_links_are_followed_but_not_in_circles(write: Write, tmp_path: Path) -> None:
    file = write("disk/real.mp4")
    (tmp_path / "disk" / "back").symlink_to(tmp_path / "all")
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "disk")
    (tmp_path / "all" / "again").symlink_to(tmp_path / "disk")
    (tmp_path / "all" / "one.mp4").symlink_to(file)
    (tmp_path / "all" / "broken.mp4").symlink_to(tmp_path / "gone.mp4")
    assert files_below(tmp_path / "all", VIDEO_SUFFIXES) == ["again/real.mp4", "linked/real.mp4", "one.mp4"]


def test_hidden_files_and_folders_named_like_videos_are_left_out(write: Write, tmp_path: Path) -> None:
    for name in ("a.mp4", "._a.mp4", ".trash/b.mp4", "folder.mp4/c.mp4"):
        write(name)
    assert files_below(tmp_path, VIDEO_SUFFIXES) == ["a.mp4", "folder.mp4/c.mp4"]


def test_names_that_are_not_utf_8_can_be_opened(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    (tmp_path / name).touch()
    (found,) = files_below(tmp_path, VIDEO_SUFFIXES)
    assert found == name
    assert (tmp_path / found).is_file()


def test_a_path_that_is_not_a_folder_is_named(write: Write, tmp_path: Path) -> None:
    for path in (write("file.mp4"), tmp_path / "gone"):
        with pytest.raises(ManifestError, match=f"{path} is not a folder"):
            files_below(path, VIDEO_SUFFIXES)
