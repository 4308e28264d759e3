"""Labels of class folders, by hand."""

import os
from pathlib import Path

import pytest

from sce_video.engine.prepare.actions import PrepareError
from sce_video.engine.prepare.labels import Labels, class_names_text, folder_labels

TRAINING = ["walk/b/x.mp4", "jump/a.mp4", "walk/c.mp4", "run/d e.mp4"]


def test_labels_are_indices_of_the_sorted_first_folders() -> None:
    classes = Labels("folders").classes_of(TRAINING)
    assert classes == ["jump", "run", "walk"]
    assert folder_labels(TRAINING, classes) == {"jump/a.mp4": 0, "run/d e.mp4": 1, "walk/b/x.mp4": 2, "walk/c.mp4": 2}
    assert Labels().classes_of(["a.mp4"]) is None
    with pytest.raises(PrepareError, match="a.mp4 is not in a class folder"):
        Labels("folders").classes_of(["walk/b.mp4", "a.mp4"])


def test_a_missing_class_does_not_shift_the_labels(tmp_path: Path) -> None:
    names = tmp_path / "classes.txt"
    names.write_text(class_names_text(Labels("folders").classes_of(TRAINING)))
    validation = Labels("folders", names)
    assert validation.classes_of(["walk/z.mp4"]) == ["jump", "run", "walk"]
    assert folder_labels(["walk/z.mp4"], validation.classes_of(["walk/z.mp4"])) == {"walk/z.mp4": 2}
    with pytest.raises(PrepareError, match=r"folder 'swim' is not among the 3 classes in .*classes.txt"):
        validation.classes_of(["walk/z.mp4", "swim/z.mp4"])


def test_labels_follow_the_order_of_the_file(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_bytes("walk\r\njump ü\r\nrun".encode("utf-8-sig"))
    assert Labels("folders", names).classes_of(["run/a.mp4"]) == ["walk", "jump ü", "run"]


def test_class_names_are_one_per_line() -> None:
    assert class_names_text(["b c", "ü"]) == "b c\nü\n"


@pytest.mark.parametrize("content", [b"", b"a\n\nb\n", b"a\nb\na\n", b"\xff\n", None])
def test_an_invalid_file_of_names(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "names"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PrepareError, match=r"--classes .*names .*one name per line"):
        Labels("folders", file).classes_of(["a/x.mp4"])


def test_a_fifo_of_names_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "names")
    with pytest.raises(PrepareError, match=r"--classes .*names cannot be read .*it is a FIFO"):
        Labels("folders", tmp_path / "names").classes_of(["a/x.mp4"])


def test_names_need_labels_from_folders(tmp_path: Path) -> None:
    with pytest.raises(PrepareError, match=r"--classes .*add --labels folders"):
        Labels("none", tmp_path)
