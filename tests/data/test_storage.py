"""How the paths of a list are opened, for each storage."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from sce_video.clips.decoders import VideoOpener
from sce_video.data.remote_storage import MixedFiles, RemoteFiles
from sce_video.data.storage import ImageArray, LocalFiles, Storage
from sce_video.data.videos import videos_from_paths

OPENER = VideoOpener("pyav")


@pytest.mark.parametrize("others", [["c/d.mkv"], ["c/d.mp4.mp4", "c/d.mov"], ["c/d.webm"], ["c/d/000001.jpg"]])
def test_a_file_may_have_another_suffix_than_listed(tmp_path: Path, others: list[str]) -> None:
    for name in others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    storage = LocalFiles(tmp_path)
    expected = "c/d" if others[0].endswith(".jpg") else others[0]
    assert storage.file("c/d.mp4") == f"{tmp_path}/{expected}"
    assert storage.file("a b.mp4") == f"{tmp_path}/a b.mp4"  # missing
    assert (storage.why_missing("c/d.mp4"), storage.why_missing("a b.mp4")) == (None, "")
    (tmp_path / "c/d.mp4").touch()
    assert storage.file("c/d.mp4") == f"{tmp_path}/c/d.mp4"


def test_the_content_of_files_is_their_sizes_and_times(tmp_path: Path) -> None:
    """Features of older versions are compared with the digest: it must not change."""

    def digest(*paths: str) -> str:
        return videos_from_paths(tmp_path, paths, None, "list").content_digest()

    def by_hand(*facts: tuple[int, int, int]) -> str:
        return hashlib.sha256(repr(list(facts)).encode()).hexdigest()

    (tmp_path / "a.mp4").write_bytes(b"12345")
    os.utime(tmp_path / "a.mp4", ns=(7, 7))
    assert digest("a.mp4", "missing.mp4") == by_hand((0, 5, 7), (1, 0, 0))
    assert digest("https://host/b.mp4", "a.mp4") == by_hand((1, 5, 7))
    os.utime(tmp_path / "a.mp4", ns=(8, 8))
    assert digest("a.mp4") == by_hand((0, 5, 8))
    assert videos_from_paths("s3://bucket", ["a.mp4"], None, "list").content_digest() == by_hand()
    many = [f"{video}.mp4" for video in range(100)]
    assert digest(*many) == by_hand(*((video, 0, 0) for video in range(0, 100, 3)))
    assert ImageArray(tmp_path, np.zeros((1, 2, 2, 3), np.uint8)).content({0: "cifar10/train/000000"}) == []


def test_copies_have_the_identity_of_the_original_and_other_files_have_not(tmp_path: Path) -> None:
    def digest(root: Path | str, *paths: str) -> str:
        return videos_from_paths(root, paths, None, "list").identity_digest()

    a, b, c = (tmp_path / name for name in "abc")
    paths = ("x.mp4", "frames", "missing.mp4")
    for root, sizes, time in ((a, (5, 6, 7), 1), (b, (5, 6, 7), 2), (c, (5, 6, 7, 8), 1)):
        (root / "frames").mkdir(parents=True)
        for number, size in enumerate(sizes):
            (root / "frames" / f"{number}.jpg").write_bytes(b"1" * size)
        (root / "x.mp4").write_bytes(b"12345")
        os.utime(root / "x.mp4", (time, time))
    (b / "frames" / ".hidden").touch()
    assert digest(a, *paths) == digest(b, *paths) != digest(c, *paths)
    assert digest(a, "x.mp4") == digest(c, "x.mp4") == digest(a, "x.mp4", "https://host/b.mp4")
    (b / "x.mp4").write_bytes(b"123456")
    assert digest(a, "x.mp4") != digest(b, "x.mp4")
    assert digest("s3://bucket/a", "x.mp4") == digest("s3://bucket/a", "x.mp4") != digest("s3://bucket/b", "x.mp4")


@pytest.mark.parametrize(
    ("root", "paths", "kind"),
    [
        ("/videos", ["a.mp4"], LocalFiles),
        ("file:///videos", ["a.mp4"], LocalFiles),
        ("", ["a.mp4", "https://host/b.mp4"], MixedFiles),
        ("s3://bucket/videos", ["a.mp4"], RemoteFiles),
        ("s3://bucket/videos", ["a.mp4", "https://host/b.mp4"], RemoteFiles),
    ],
)
def test_where_the_files_of_a_list_are(root: str, paths: list[str], kind: type[Storage]) -> None:
    assert type(videos_from_paths(root, paths, None, "list").storage) is kind


def test_a_part_of_pixels_shows_its_own_images(tmp_path: Path) -> None:
    pixels = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)
    open_path = ImageArray(tmp_path, pixels).opened_by(OPENER, lambda: pytest.fail("nothing is fetched"))
    with open_path("cifar10/train/000002") as opened:
        np.testing.assert_array_equal(opened.frames_at([0.0])[0].permute(1, 2, 0), pixels[2])
