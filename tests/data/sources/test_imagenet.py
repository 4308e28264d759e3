"""Trees as ImageNet and Tiny-ImageNet are distributed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.data.checks import require_files
from sce_video.data.sources import read_imagenet100, read_tiny_imagenet
from sce_video.data.sources.imagenet import IMAGENET_100_CLASSES
from sce_video.errors import ManifestError

Write = Callable[..., Path]


def test_imagenet100_is_a_hundred_classes_of_imagenet() -> None:
    """n01440764 (tench) is ImageNet's first class, n15075141 (toilet tissue) its last; neither is among the hundred."""
    assert len(set(IMAGENET_100_CLASSES)) == 100
    assert all(len(name) == 9 and name[0] == "n" and name[1:].isdigit() for name in IMAGENET_100_CLASSES)
    assert "n01440764" < IMAGENET_100_CLASSES[0] == "n01558993"  # American robin
    assert "n15075141" > IMAGENET_100_CLASSES[-1] == "n13040303"  # stinkhorn


def test_other_classes_are_left_out(write: Write, tmp_path: Path) -> None:
    for name in (*IMAGENET_100_CLASSES, "n01440764", "n15075141"):
        write(f"train/{name}/{name}_7.JPEG")
    write("train/n13040303/a.JPEG")
    images = read_imagenet100(tmp_path, "train")
    expected = [f"train/{name}/{name}_7.JPEG" for name in sorted(IMAGENET_100_CLASSES)]
    assert list(images.paths) == [*expected[:-1], "train/n13040303/a.JPEG", expected[-1]]
    assert list(images.require_labels()) == [*range(100), 99]
    assert images.class_names == dict(enumerate(sorted(IMAGENET_100_CLASSES)))
    (tmp_path / "train/n02123045/n02123045_7.JPEG").unlink()
    (tmp_path / "train/n02123045").rmdir()
    with pytest.raises(ManifestError, match="train/n02123045 is not a folder that can be read"):
        read_imagenet100(tmp_path, "train")


@pytest.fixture
def tiny(write: Write, tmp_path: Path) -> Path:
    for name in ("n02/images/n02_0.JPEG", "n01/images/n01_1.JPEG", "n01/n01_boxes.txt"):
        write(f"train/{name}")
    for name in ("val/images/val_0.JPEG", "val/images/val_1.JPEG", "test/images/test_0.JPEG"):
        write(name)
    write("val/val_annotations.txt", "val_1.JPEG\tn01\t0\t0\t5\t5\nval_0.JPEG\tn02\t1\t2\t3\t4\n")
    return tmp_path


def test_tiny_imagenet_as_unzipped(tiny: Path) -> None:
    train, val = read_tiny_imagenet(tiny, "train"), read_tiny_imagenet(tiny, "val")
    assert list(train.paths) == ["train/n01/images/n01_1.JPEG", "train/n02/images/n02_0.JPEG"]
    assert list(train.require_labels()) == [0, 1]
    assert list(val.paths) == ["val/images/val_1.JPEG", "val/images/val_0.JPEG"]
    assert list(val.require_labels()) == [0, 1]
    assert train.class_names == val.class_names == {0: "n01", 1: "n02"}
    require_files(val, max_missing_share=0.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val_0.JPEG\tn03\t1\t2\t3\t4\n", "val_annotations.txt, line 1: .*`image<tab>class` of .*/train was expected"),
        ("val_0.JPEG n01\n", "line 1: .* was expected"),
        ("../../../a.JPEG\tn01\n", "line 1: .* leaves DATA.ROOT"),
    ],
)
def test_malformed_annotations_are_refused(tiny: Path, text: str, message: str) -> None:
    (tiny / "val" / "val_annotations.txt").write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_tiny_imagenet(tiny, "val")
