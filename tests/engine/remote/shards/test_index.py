"""The saved index: read once, and made again for a new version of the shard."""

import os
from pathlib import Path

import pytest

from sce_video.engine.remote import RemotePath, location
from sce_video.engine.remote.cache import CacheError
from sce_video.engine.remote.shards.index import read_index
from sce_video.errors import ManifestError
from tests.engine.remote.shards.tars import write_tar
from tests.servers import HttpFolder

MEMBERS = {"0.mp4": bytes(200_000), "0.cls": b"1", "1.mp4": bytes(200_000), "1.cls": b"0"}


def remote(http: HttpFolder) -> RemotePath:
    path = location(http.url) / "a.tar"
    assert isinstance(path, RemotePath)
    return path


def test_the_second_time_nothing_is_read(http: HttpFolder, tmp_path: Path) -> None:
    write_tar(http.folder / "a.tar", MEMBERS)
    first = read_index(remote(http), tmp_path / "index")
    http.requests.clear()
    assert read_index(remote(http), tmp_path / "index") == first
    assert http.requests == [("HEAD", "a.tar")]
    assert [(video.name, video.length, video.label) for video in first.videos] == [
        ("0.mp4", 200_000, 1),
        ("1.mp4", 200_000, 0),
    ]


def test_local_and_remote_are_the_same(http: HttpFolder, tmp_path: Path) -> None:
    file = write_tar(http.folder / "a.tar", MEMBERS)
    assert read_index(remote(http), tmp_path / "index").videos == read_index(file, tmp_path / "index").videos


def test_a_shard_written_anew_is_read_anew(http: HttpFolder, tmp_path: Path) -> None:
    file = write_tar(http.folder / "a.tar", MEMBERS)
    before = [read_index(shard, tmp_path / "index") for shard in (file, remote(http))]
    write_tar(file, {**MEMBERS, "0.cls": b"7"})  # of the same size
    os.utime(file, (1000, 1000))
    after = [read_index(shard, tmp_path / "index") for shard in (file, remote(http))]
    assert all(new.version != old.version for new, old in zip(after, before, strict=True))
    assert [index.videos[0].label for index in after] == [7, 7]


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "a.tar", MEMBERS)
    first = read_index(file, tmp_path / "index")
    [kept] = (tmp_path / "index").glob("*.json")
    start = f'{{"format": 2, "version": "{first.version}", "videos": '
    for text in (
        "",
        "{}",
        "[" * 100_000,
        start + "[[1]]}",
        start + "[[1, 2, 3, 4]]}",
        start + '[["a", -2, 3, 4]]}',
        start + '[["a", 2, 3, [4]]]}',
    ):
        kept.write_text(text)
        assert read_index(file, tmp_path / "index") == first


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", MEMBERS)
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=f"^DATA.CACHE_DIR {tmp_path}/file cannot be written"):
        read_index(tmp_path / "a.tar", tmp_path / "file" / "shards")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises(ManifestError, match=f"{tmp_path}/a.tar cannot be read .it is a FIFO"):
        read_index(tmp_path / "a.tar", tmp_path / "index")


def test_refusals(http: HttpFolder, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a.tar: no such file|cannot be fetched"):
        read_index(remote(http), tmp_path / "index")
    with pytest.raises(ManifestError, match="cannot be read"):
        read_index(tmp_path / "missing.tar", tmp_path / "index")
    write_tar(http.folder / "a.tar", MEMBERS)
    http.has_ranges = False
    with pytest.raises(ManifestError, match="HTTP range requests"):
        read_index(remote(http), tmp_path / "index")
    assert http.num_bytes < 500_000
