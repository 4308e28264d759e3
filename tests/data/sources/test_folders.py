from collections.abc import Callable
from pathlib import Path

import pytest
from torchvision.datasets import ImageFolder

from sce_video.data.sources import read_class_folders, read_folder, read_frame_folders, read_image_folders
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError

Write = Callable[..., Path]


def videos(manifest: ListedVideos) -> list[tuple[str, int]]:
    return list(zip(manifest.paths, manifest.require_labels(), strict=True))


def test_class_folders_are_labelled_in_sorted_order(write: Write, tmp_path: Path) -> None:
    for name in (
        "train/walk/b.mp4",
        "train/jump/x/a.AVI",
        "train/jump/notes.txt",
        "train/stray.mp4",
        "test/walk/c.webm",
    ):
        write(name)
    assert videos(read_class_folders(tmp_path, "train")) == [("train/jump/x/a.AVI", 0), ("train/walk/b.mp4", 1)]
    assert videos(read_class_folders(tmp_path, "test", class_names=["jump", "walk"])) == [("test/walk/c.webm", 1)]
    with pytest.raises(ManifestError, match="'walk' is not among the 1 training classes"):
        read_class_folders(tmp_path, "test", class_names=["jump"])
    with pytest.raises(ManifestError, match="holds no class folders"):
        read_class_folders(tmp_path, "test/walk")
    with pytest.raises(ManifestError, match="nowhere is not a folder"):
        read_class_folders(tmp_path, "nowhere")


@pytest.mark.parametrize(
    ("folder", "paths"),
    [("all", ["all/a/c.mkv", "all/b.mp4"]), ("", ["all/a/c.mkv", "all/b.mp4"]), ("./all/a/", ["all/a/c.mkv"])],
)
def test_plain_folders_have_no_labels(write: Write, tmp_path: Path, folder: str, paths: list[str]) -> None:
    for name in ("all/b.mp4", "all/a/c.mkv", "all/readme.md"):
        write(name)
    manifest = read_folder(tmp_path, folder)
    assert (list(manifest.paths), manifest.labels) == (paths, None)
    assert all(Path(manifest.name(video)).is_file() for video in range(len(manifest)))


def test_a_folder_that_is_given_in_full(write: Write, tmp_path: Path) -> None:
    file = write("all/b.mp4")
    assert list(read_folder(tmp_path, str(tmp_path / "all")).paths) == ["all/b.mp4"]
    assert read_folder(tmp_path / "elsewhere", str(tmp_path / "all")).name(0) == str(file)


def test_a_tree_of_another_kind_says_which_source_reads_it(write: Write, tmp_path: Path) -> None:
    write("train/jump/a.jpg")
    with pytest.raises(ManifestError, match="train holds no videos; .*class_folders.*.mp4.*image_folders.*.jpg"):
        read_class_folders(tmp_path, "train")
    with pytest.raises(ManifestError, match="is not a folder"):
        read_folder(tmp_path, "nowhere")


def test_image_folders_are_those_of_torchvision(tmp_path: Path, write: Write) -> None:
    for name in ("n02/b.JPEG", "n02/a.png", "n01/deep/c.jpg", "n01/d.webp", "n01/list.txt", "n10/e.jpeg"):
        write(f"train/{name}")
    expected = [
        (str(Path(path).relative_to(tmp_path)), label) for path, label in ImageFolder(tmp_path / "train").samples
    ]
    assert sorted(videos(read_image_folders(tmp_path, "train"))) == sorted(expected)


def test_images_in_no_class_folder_have_no_labels(tmp_path: Path, write: Write) -> None:
    for name in ("b.png", "a.JPG", "notes.txt"):
        write(f"pictures/{name}")
    manifest = read_image_folders(tmp_path, "pictures")
    assert list(manifest.paths) == ["pictures/a.JPG", "pictures/b.png"]
    assert manifest.labels is None


def test_frame_folders_in_classes(write: Write, tmp_path: Path) -> None:
    for name in (
        "walk/v2/img_00001.jpg",
        "walk/v2/img_00002.jpg",
        "walk/v1/1.PNG",
        "jump/g/v3/1.jpg",
        "jump/g/v3/a.wav",
    ):
        write(f"train/{name}")
    manifest = read_frame_folders(tmp_path, "train")
    assert videos(manifest) == [("train/jump/g/v3", 0), ("train/walk/v1", 1), ("train/walk/v2", 1)]
    assert Path(manifest.name(2)).is_dir()
    write("test/walk/v9/1.jpg")
    assert videos(read_frame_folders(tmp_path, "test", class_names=["jump", "walk"])) == [("test/walk/v9", 1)]


def test_frame_folders_without_classes(write: Write, tmp_path: Path) -> None:
    write("train/v2/1.jpg")
    write("train/v1/1.jpg")
    manifest = read_frame_folders(tmp_path, "train")
    assert (list(manifest.paths), manifest.labels) == (["train/v1", "train/v2"], None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["walk/v1/1.jpg", "walk/v1/flow/1.jpg"], "train/walk/v1 holds images, but"),
        (["walk/v1/1.jpg", "thumbnail.jpg"], "train holds images, but"),
        (["1.jpg"], "holds images, but"),
        (["walk/v1/1.jpg", "v2/1.jpg"], "train/v2 is a folder of frames beside class folders"),
        (["walk/v1.mp4"], "train holds no videos"),
    ],
)
def test_trees_that_are_not_frame_folders(write: Write, tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        write(f"train/{name}")
    with pytest.raises(ManifestError, match=message):
        read_frame_folders(tmp_path, "train")
