from pathlib import Path

import pytest

from sce_video.data.find_file import find_file


@pytest.mark.parametrize(
    ("listed", "there", "found"),
    [
        ("a.avi", ["a.avi", "a.mp4"], "a.avi"),
        ("a.avi", ["a.mp4", "a.mkv"], "a.mp4"),
        ("a.avi", ["a.webm", "b.mp4"], "a.webm"),
        ("a.mkv", ["a.mp4", "a.mkv.mp4"], "a.mkv.mp4"),  # prepared from a.avi and a.mkv
        ("a.mkv", ["a.mkv/1.jpg", "a/1.jpg"], "a.mkv"),
        ("a.avi", ["a/1.jpg"], "a"),
        ("a.avi", ["a"], None),  # a file without ending is no video
        ("a", ["a.mp4"], "a.mp4"),
        ("a.b", ["a.b.mp4", "a.mp4"], "a.b.mp4"),
        ("v1.5.avi", ["v1.5.mp4"], "v1.5.mp4"),
        ("a.avi", ["ab.mp4", "A.mp4"], None),
        ("c/a.avi", ["a.mp4"], None),
    ],
)
def test_found(tmp_path: Path, listed: str, there: list[str], found: str | None) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_file(str(tmp_path / listed)) == (None if found is None else str(tmp_path / found))
