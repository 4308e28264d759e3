"""The facts in docs/data.md about each source."""

import re
from pathlib import Path

from sce_video.data.sources.source import Source
from sce_video.data.sources.table import SOURCES, sources_where


def test_what_each_reads() -> None:
    lists = ("list", "shards", "kinetics", "kinetics200")
    folders = ("class_folders", "frame_folders", "image_folders", "imagenet100")
    assert sources_where(lambda source: source.has_test_list) == (*lists, *folders, "jpeg_npz")
    assert sources_where(lambda source: source.train == "file") == (*lists, "jpeg_npz")
    assert sources_where(lambda source: source.read_test is None) == ("folder",)
    assert sources_where(lambda source: source.has_splits) == ("ucf101", "hmdb51")
    own = ("ucf101", "hmdb51", "ssv2", "diving48", "moments", "tiny_imagenet", "cifar10", "cifar100", "stl10")
    assert sources_where(lambda source: source.has_own_test) == own


def test_what_each_needs() -> None:
    everything = ["DATA.ROOT", "DATA.TRAIN", "DATA.SPLITS_DIR"]
    assert list(SOURCES["kinetics200"].needs) == everything
    assert list(SOURCES["kinetics"].needs) == everything[:2]
    for name in ("list", "shards", "jpeg_npz"):
        assert list(SOURCES[name].needs) == ["DATA.TRAIN"]
    for name in ("ucf101", "hmdb51", "ssv2", "moments"):
        assert list(SOURCES[name].needs) == ["DATA.ROOT", "DATA.SPLITS_DIR"]
    for name in ("tiny_imagenet", "cifar10", "cifar100", "stl10"):
        assert list(SOURCES[name].needs) == ["DATA.ROOT"]
    for name in ("class_folders", "frame_folders", "image_folders", "folder", "imagenet100"):
        assert SOURCES[name].needs == {}  # DATA.ROOT or DATA.TRAIN


def test_a_new_source_is_a_file_and_a_line() -> None:
    """Only how it is read is required."""
    plain = Source(SOURCES["cifar10"].read_train, SOURCES["cifar10"].read_test)
    assert (plain.has_own_test, plain.has_test_list, list(plain.needs)) == (True, False, ["DATA.ROOT"])


def test_the_docs_say_which_are_remote() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/data.md").read_text()
    walked, local = re.findall(r"^\| (`.*) \| (?:yes if folders can be listed|no \|$)", text, re.MULTILINE)[:2]
    assert sorted(re.findall(r"`(\w+)`", walked)) == sorted(sources_where(lambda source: source.is_walked))
    assert sorted(re.findall(r"`(\w+)`", local)) == sorted(sources_where(lambda source: source.is_local))
