"""Files are complete or missing."""

import json
from pathlib import Path

import pytest

from sce_video.runtime.files import atomic_path, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_with_its_folders_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.bin"
    with atomic_path(path) as partial:
        assert partial.parent == path.parent  # the same file system, so that the rename is atomic
        partial.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert names(path.parent) == ["file.bin"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), atomic_path(path) as partial:  # noqa: PT012
        partial.write_bytes(b"half of the n")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.bin"]


def test_an_error_where_there_was_no_file_leaves_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), atomic_path(tmp_path / "file.bin") as partial:  # noqa: PT012
        partial.write_bytes(b"half")
        raise ValueError("no")
    assert names(tmp_path) == []


def test_what_cannot_be_written_as_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"knn_top1": 0.5})
    with pytest.raises(TypeError):
        write_json(path, {"knn_top1": object()})
    assert json.loads(path.read_text()) == {"knn_top1": 0.5}
    assert names(tmp_path) == ["results.json"]


def test_json_round_trip(tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", {"path": "a/b", "values": [1, 2.5, None]})
    assert json.loads((tmp_path / "r.json").read_text()) == {"path": "a/b", "values": [1, 2.5, None]}


def test_text_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    write_text(tmp_path / "t.txt", "Größe 5 \N{MULTIPLICATION SIGN} 3")
    assert (tmp_path / "t.txt").read_bytes() == b"Gr\xc3\xb6\xc3\x9fe 5 \xc3\x97 3"
