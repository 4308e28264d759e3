"""Layouts of folders."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sce_video.cli.init_config.layout import find_layout
from sce_video.errors import UserError


@pytest.fixture
def video(motion_videos: Path) -> Path:
    return next(motion_videos.rglob("*.mp4"))


def put(video: Path, *files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, file)


def put_image(file: Path, level: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((32, 40, 3), level, dtype=np.uint8)).save(file)


def test_train_and_test_folders_of_classes(motion_videos: Path) -> None:
    layout = find_layout(motion_videos, list_root=None)
    assert (layout.source, layout.train, layout.test, layout.is_image) == ("class_folders", "train", "test", False)
    assert len(layout.listed) == 24
    assert layout.class_names[:2] == ("fall", "grow")


@pytest.mark.parametrize("name", ["val", "Valid", "validation", "test", "testing"])
def test_only_train_is_pretrained_on_if_test_videos_are_beside_it(video: Path, tmp_path: Path, name: str) -> None:
    files = ["train/a.mp4", "train/b.mp4", f"{name}/c.mp4", "extra/d.mp4", "e.mp4"]
    put(video, *(tmp_path / file for file in files))
    layout = find_layout(tmp_path, list_root=None)
    assert (layout.source, layout.train, layout.test) == ("folder", "train", name)
    assert tuple(layout.listed.paths) == ("train/a.mp4", "train/b.mp4")
    (note,) = layout.notes
    assert note.startswith("pretrained on: train (2 files); not on ")
    for words in (f"{name} (1)", "extra (1)", "files beside the folders (1)"):
        assert words in note


def test_without_test_videos_train_may_be_a_class(video: Path, tmp_path: Path) -> None:
    put(video, *(tmp_path / name / f"{i}.mp4" for name in ("train", "tram") for i in range(2)))
    layout = find_layout(tmp_path, list_root=None)
    assert (layout.train, layout.class_names, list(layout.notes)) == ("", ("train", "tram"), [])


def test_videos_at_any_depth(video: Path, tmp_path: Path) -> None:
    put(video, tmp_path / "a.mp4", tmp_path / "walk" / "b.mp4", tmp_path / "run" / "deep" / "c.mp4")
    put_image(tmp_path / "thumbnail.jpg", 9)
    layout = find_layout(tmp_path, list_root=None)
    assert (layout.source, layout.train, len(layout.listed), layout.class_names) == ("folder", "", 3, ())
    assert list(layout.notes) == ["1 images beside them are not used"]


def test_a_folder_for_each_video_is_no_class(video: Path, tmp_path: Path) -> None:
    put(video, *(tmp_path / f"id{i}" / "video.mp4" for i in range(4)))
    assert find_layout(tmp_path, list_root=None).source == "folder"


def test_images_with_and_without_classes(tmp_path: Path) -> None:
    for i in range(6):
        put_image(tmp_path / "flat" / f"{i}.png", 30 * i)
        put_image(tmp_path / "classed" / f"class{i % 2}" / f"{i}.png", 40 * i)
    flat, classed = (find_layout(tmp_path / name, list_root=None) for name in ("flat", "classed"))
    assert (flat.source, len(flat.listed), flat.class_names, flat.is_image) == ("image_folders", 6, (), True)
    assert (classed.source, classed.class_names, classed.is_image) == ("image_folders", ("class0", "class1"), True)


def test_folders_of_frames_are_videos(tmp_path: Path) -> None:
    for video in range(3):
        for frame in range(6):
            put_image(tmp_path / f"clip{video}" / f"frame_{frame:03d}.png", 80 * video + frame)
    layout = find_layout(tmp_path, list_root=None)
    assert (layout.source, len(layout.listed), layout.is_image) == ("frame_folders", 3, False)


def test_a_list_with_a_root_of_its_own(video: Path, tmp_path: Path) -> None:
    put(video, tmp_path / "videos" / "a.mp4", tmp_path / "videos" / "b.mp4")
    (tmp_path / "lists").mkdir()
    listed = tmp_path / "lists" / "train.txt"
    listed.write_text("a.mp4 0\nb.mp4 1\n")
    layout = find_layout(listed, list_root=tmp_path / "videos")
    assert (layout.source, layout.root, layout.train) == ("list", tmp_path / "videos", str(listed))
    assert find_layout(listed, list_root=None).root == tmp_path / "lists"


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist; give a folder of videos or images"):
        find_layout(tmp_path / "nowhere", list_root=None)
    with pytest.raises(UserError, match="has neither videos"):
        find_layout(tmp_path, list_root=None)
