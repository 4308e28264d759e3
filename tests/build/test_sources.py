"""Which files each DATA.SOURCE reads for training and for testing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fvcore.common.config import CfgNode

from sce_video.build.sources import read_test_videos, read_train_videos
from sce_video.config.defaults import default_config
from sce_video.errors import ConfigError, ManifestError

TABLE = "label,youtube_id,time_start,time_end,split\n"
# Files of all sources in one tree; classes that only training has come first in the alphabet.
TREE = {
    "train.txt": "t/a.mp4 1\n",
    "test.txt": "e/b.mp4 1\n",
    "train.csv": TABLE + "abseiling,x,0,10,train\njumping,y,0,10,train\nwalking,z,0,10,train\n",
    "val.csv": TABLE + "walking,v,0,10,val\njumping,w,0,10,val\n",
    "splits/train_ytid_list.txt": "z\ny\n",
    "splits/val_ytid_list.txt": "v\n",
    "splits/classInd.txt": "1 Jump\n2 Walk\n",
    "splits/trainlist03.txt": "Walk/a.avi 2\n",
    "splits/testlist03.txt": "Walk/b.avi\n",
    "splits/walk_test_split3.txt": "a.avi 1\nb.avi 2\n",
    "splits/labels.json": json.dumps({"Jumping": "0", "Walking": "1"}),
    "splits/train.json": json.dumps([{"id": "12", "label": "Walking"}]),
    "splits/validation.json": json.dumps([{"id": "34", "label": "Walking"}]),
    "splits/moments_categories.txt": "jumping,0\nwalking,1\n",
    "splits/trainingSet.csv": "walking/a.mp4,walking\n",
    "splits/validationSet.csv": "walking/b.mp4,walking\n",
    **dict.fromkeys([f"k/{name}_000000_000010.mp4" for name in "xyzvw"], ""),
    **dict.fromkeys(["s/12.webm", "s/34.webm", "t/jump/a.mp4", "t/walk/a.mp4", "e/walk/b.mp4"], ""),
    **dict.fromkeys(["ti/jump/a.jpg", "ti/walk/a.jpg", "ei/walk/b.jpg"], ""),
    **dict.fromkeys([f"tiny/{name}.JPEG" for name in ("train/n01/images/n01_0", "train/n02/images/n02_0")], ""),
    **dict.fromkeys(["tiny/train/n01/n01_boxes.txt", "tiny/val/images/val_0.JPEG"], ""),
    "tiny/val/val_annotations.txt": "val_0.JPEG\tn02\t0\t32\t44\t62\n",
    **dict.fromkeys(["tf/jump/v/1.jpg", "tf/walk/v/1.jpg", "ef/walk/v/1.jpg"], ""),
}
KINETICS = {"z_000000_000010.mp4": 2, "y_000000_000010.mp4": 1, "x_000000_000010.mp4": 0}


@pytest.mark.parametrize(
    ("source", "root", "train", "test", "expected_train", "expected_test"),
    [
        ("list", "", "train.txt", "test.txt", {"t/a.mp4": 1}, {"e/b.mp4": 1}),
        ("kinetics", "k", "train.csv", "val.csv", KINETICS, {"v_000000_000010.mp4": 2, "w_000000_000010.mp4": 1}),
        (
            *("kinetics200", "k", "train.csv", "val.csv"),
            {"z_000000_000010.mp4": 1, "y_000000_000010.mp4": 0},
            {"v_000000_000010.mp4": 1},
        ),
        ("ucf101", "u", "", "", {"Walk/a.avi": 1}, {"Walk/b.avi": 1}),
        ("hmdb51", "h", "", "", {"walk/a.avi": 0}, {"walk/b.avi": 0}),
        ("ssv2", "s", "", "", {"12.webm": 1}, {"34.webm": 1}),
        ("moments", "m", "", "", {"training/walking/a.mp4": 1}, {"validation/walking/b.mp4": 1}),
        ("class_folders", "", "t", "e", {"t/jump/a.mp4": 0, "t/walk/a.mp4": 1}, {"e/walk/b.mp4": 1}),
        ("image_folders", "", "ti", "ei", {"ti/jump/a.jpg": 0, "ti/walk/a.jpg": 1}, {"ei/walk/b.jpg": 1}),
        (
            *("tiny_imagenet", "tiny", "", ""),
            {"train/n01/images/n01_0.JPEG": 0, "train/n02/images/n02_0.JPEG": 1},
            {"val/images/val_0.JPEG": 1},
        ),
        ("frame_folders", "", "tf", "ef", {"tf/jump/v": 0, "tf/walk/v": 1}, {"ef/walk/v": 1}),
    ],
)
def test_sources(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    root: str,
    train: str,
    test: str,
    expected_train: dict[str, int],
    expected_test: dict[str, int],
) -> None:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    cfg = default_config()
    cfg.DATA.ROOT, cfg.DATA.TRAIN, cfg.DATA.TEST = str(tmp_path / root), train, test
    cfg.DATA.SPLITS_DIR, cfg.DATA.SPLIT = str(tmp_path / "splits"), 3
    cfg.DATA.SOURCE = source
    for read, expected in ((read_train_videos, expected_train), (read_test_videos, expected_test)):
        manifest = read(cfg)
        assert dict(zip(manifest.paths, manifest.require_labels(), strict=True)) == expected


CLASSES = {
    "kinetics": {0: "abseiling", 1: "jumping", 2: "walking"},
    "kinetics200": {0: "jumping", 1: "walking"},
    "ucf101": {0: "Jump", 1: "Walk"},
    "hmdb51": {0: "walk"},
    "ssv2": {0: "Jumping", 1: "Walking"},
    "moments": {0: "jumping", 1: "walking"},
    "class_folders": {0: "jump", 1: "walk"},
    "image_folders": {0: "jump", 1: "walk"},
    "frame_folders": {0: "jump", 1: "walk"},
    "list": {0: "jump", 1: "walk"},
}


@pytest.mark.parametrize("source", CLASSES)
def test_sources_have_class_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    for name, text in {**TREE, "classes.txt": "jump\nwalk\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    cfg = default_config()
    folders = {"class_folders": ("t", "e"), "image_folders": ("ti", "ei"), "frame_folders": ("tf", "ef")}
    cfg.DATA.TRAIN, cfg.DATA.TEST = folders.get(
        source, ("train.txt", "test.txt") if source == "list" else ("train.csv", "val.csv")
    )
    cfg.DATA.ROOT = {"kinetics": "k", "kinetics200": "k", "ssv2": "s"}.get(source, ".")
    cfg.DATA.SPLITS_DIR, cfg.DATA.SPLIT = "splits", 3
    cfg.DATA.SOURCE = source
    for read in (read_train_videos, read_test_videos):
        assert read(cfg).class_names == CLASSES[source]


def test_names_as_labels_are_numbered_by_the_training_list(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a.mp4,jump\nb.mp4,run\nc.mp4,walk\n")
    (tmp_path / "test.txt").write_text("d.mp4,walk\n")
    cfg = default_config()
    cfg.DATA.TRAIN, cfg.DATA.TEST = str(tmp_path / "train.txt"), str(tmp_path / "test.txt")
    assert list(read_test_videos(cfg).require_labels()) == [2]


def test_columns_of_lists_are_the_config_s(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a.mp4 300 1\nb.mp4 299 0\n")
    cfg = default_config()
    cfg.DATA.TRAIN, cfg.DATA.LIST_COLUMNS = str(tmp_path / "train.txt"), "path,num_frames,label"
    assert list(read_train_videos(cfg).require_labels()) == [1, 0]


def test_a_plain_folder_is_for_training(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    cfg = default_config()
    cfg.DATA.SOURCE, cfg.DATA.ROOT = "folder", str(tmp_path)
    assert list(read_train_videos(cfg).paths) == ["a.mp4"]
    with pytest.raises(ConfigError, match="DATA.SOURCE is folder; it has no test videos"):
        read_test_videos(cfg)


@pytest.mark.parametrize(("source", "reader"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100"), ("stl10", "STL10")])
@pytest.mark.parametrize("read", [read_train_videos, read_test_videos], ids=["train", "test"])
def test_images_in_memory_are_looked_for_below_the_root(
    tmp_path: Path, read: Callable[[CfgNode], object], source: str, reader: str
) -> None:
    cfg = default_config()
    cfg.DATA.SOURCE, cfg.DATA.ROOT, cfg.DATA.TRAIN = source, str(tmp_path), "unlabeled"
    with pytest.raises(ManifestError, match=f"{tmp_path}/.* does not hold the files of {reader} "):
        read(cfg)
