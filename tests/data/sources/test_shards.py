"""Shards as a manifest, and what a remote root does to the other sources."""

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.data.checks import require_comparable, require_files
from sce_video.data.sources import (
    class_folders,
    read_annotations,
    read_class_folders,
    read_folder,
    read_kinetics,
    read_list,
    read_shards,
)
from sce_video.engine.remote import RemotePath, location
from sce_video.engine.remote.shards import find_member
from sce_video.errors import ManifestError
from tests.engine.remote.shards.tars import write_tar
from tests.servers import HttpFolder

Write = Callable[..., Path]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    for number in range(2):
        members = {f"{number}{video}.{end}": f"{video}".encode() for video in range(3) for end in ("cls", "mp4")}
        write_tar(tmp_path / "k400" / f"train-{number:03d}.tar", members)
    return tmp_path / "k400"


def test_the_order_is_that_of_names_and_files(shards: Path, tmp_path: Path) -> None:
    manifest = read_shards("train-{000..001}.tar", shards, index_folder=tmp_path / "index")
    members = [find_member(path) for path in manifest.paths]
    assert [(member.shard, member.name) for member in members] == [
        (f"train-{number:03d}.tar", f"{number}{video}.mp4") for number in range(2) for video in range(3)
    ]
    assert list(manifest.require_labels()) == [0, 1, 2] * 2
    require_files(manifest)
    contents = [(shards / member.shard).read_bytes()[member.start : member.start + member.length] for member in members]
    assert contents == [b"0", b"1", b"2"] * 2
    half = manifest.balanced_part(share=0.5, seed=0)
    assert len(half) == 3
    assert half.storage is manifest.storage


def test_a_copy_elsewhere_is_the_same_list(shards: Path, tmp_path: Path) -> None:
    for pattern, root in [
        ("train-{000..001}.tar", shards),
        ("k400/train-{000..001}.tar", tmp_path),
        (f"{shards}/train-{{000..001}}.tar", Path()),
        (f"{shards}/train-{{000..001}}.tar", location("s3://bucket")),
        (f"file://{shards}/train-{{000..001}}.tar", Path()),
    ]:
        manifest = read_shards(pattern, root, index_folder=tmp_path / "index")
        assert manifest.storage.root == shards
        assert manifest.digest() == read_shards("train-{000,001}.tar", shards, index_folder=tmp_path / "i").digest()


def test_content_digest_changes_with_a_rewritten_shard(shards: Path, tmp_path: Path) -> None:
    before = read_shards("train-000.tar", shards, index_folder=tmp_path / "index")
    write_tar(shards / "train-000.tar", {"00.cls": b"0", "00.mp4": b"x"})
    after = read_shards("train-000.tar", shards, index_folder=tmp_path / "index")
    assert before.content_digest() != after.content_digest()
    assert before.content_digest() == before.content_digest()


def test_a_copied_shard_has_the_same_videos(shards: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "train-000.tar"
    copy.parent.mkdir()
    copy.write_bytes((shards / copy.name).read_bytes())
    os.utime(copy, (1, 1))
    both = [read_shards(copy.name, folder, index_folder=tmp_path / "index") for folder in (shards, copy.parent)]
    assert len({each.content_digest() for each in both}) == 2
    assert len({each.identity_digest() for each in both}) == 1


def test_refusals(shards: Path, tmp_path: Path) -> None:
    def refused(pattern: str, words: str) -> None:
        with pytest.raises(ManifestError, match=words):
            read_shards(pattern, shards, index_folder=tmp_path / "index")

    refused("train-{000..002}.tar", "train-002.tar cannot be read")
    refused("train-000.tar.gz", "plain .tar")
    refused("s3://bucket-{a,b}/x.tar", "only after the host")
    write_tar(shards / "train-002.tar", {"20.mp4": b"x"})
    refused("train-{000..002}.tar", "6 of 7 videos have a label")
    write_tar(shards / "train-003.tar", {"20.txt": b"x"})
    refused("train-003.tar", "lists no videos")


def test_names_as_labels(tmp_path: Path) -> None:
    def labelled(name: str, labels: list[str]) -> None:
        write_tar(
            tmp_path / name,
            {
                f"{number}.{ending}": f'{{"label": {label}}}'.encode()
                for number, label in enumerate(labels)
                for ending in ("mp4", "json")
            },
        )

    labelled("a-0.tar", ['"run"', '"jump"'])
    labelled("a-1.tar", ['"walk"'])
    labelled("b.tar", ['"walk"'])
    train = read_shards("a-{0..1}.tar", tmp_path, index_folder=tmp_path / "index")
    assert (list(train.labels or ()), train.class_names) == ([1, 0, 2], {0: "jump", 1: "run", 2: "walk"})
    test = read_shards("b.tar", tmp_path, index_folder=tmp_path / "index", class_names=lambda: train.class_names)
    assert list(test.labels or ()) == [2]
    (tmp_path / "classes.txt").write_text("walk\nrun\njump\n")
    again = read_shards("a-{0..1}.tar", tmp_path, index_folder=tmp_path / "index")
    assert list(again.labels or ()) == [1, 2, 0]
    for labels, words in (
        (['"swim"'], "'swim', which is not one of the 3"),
        (['"run"', "1"], "all numbers or"),
    ):
        labelled("c.tar", labels)
        with pytest.raises(ManifestError, match=f"c.tar.*{words}"):
            read_shards("c.tar", tmp_path, index_folder=tmp_path / "index")


def test_invalid_labels_of_shards_are_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", {"0.mp4": b"x", "0.cls": b"-1"})
    videos = read_shards("a.tar", tmp_path, index_folder=tmp_path / "index")  # for pretraining
    with pytest.raises(ManifestError, match=r"a.tar: 'a.tar/0.mp4@512\+1' has the label -1, which means no label"):
        videos.require_labels()
    write_tar(tmp_path / "b.tar", {"0.mp4": b"x", "0.cls": b"1" + b"0" * 9})
    with pytest.raises(ManifestError, match="b.tar: 'b.tar/0.mp4.* has the label 1000000000"):
        read_shards("b.tar", tmp_path, index_folder=tmp_path / "index")
    write_tar(tmp_path / "c.tar", {"a\x1b[31m.mp4": b"x"})
    with pytest.raises(ManifestError, match="c.tar: .* has a control character"):
        read_shards("c.tar", tmp_path, index_folder=tmp_path / "index")


@pytest.fixture
def bucket() -> RemotePath:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for name in ("train/b/1.mp4", "train/a/2.mp4", "train/a/sub/1_000001_000002.mp4", "train/.x/3.mp4", "train/a.txt"):
        memory.pipe(f"/videos/{name}", b"x")
    memory.pipe("/videos/train.txt", b"train/a/2.mp4 0\ntrain/b/1.mp4 1\n")
    root = location("memory://videos")
    assert isinstance(root, RemotePath)
    return root


def test_a_remote_list(bucket: RemotePath) -> None:
    manifest = read_list(bucket / "train.txt", bucket)
    require_files(manifest)
    assert manifest.name(0) == manifest.origin.replace("train.txt", "train/a/2.mp4")
    assert manifest.storage.is_remote
    with pytest.raises(ManifestError, match="no such file"):
        read_list(bucket / "test.txt", bucket)


def test_remote_folders_are_listed_as_local_ones(bucket: RemotePath, tmp_path: Path) -> None:
    for name in ("train/b/1.mp4", "train/a/2.mp4", "train/a/sub/1_000001_000002.mp4", "train/.x/3.mp4", "train/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    for read in (read_folder, read_class_folders):
        remote, local = read(bucket, "train"), read(tmp_path, "train")
        assert list(remote.paths) == list(local.paths)
        assert remote.labels == local.labels
        assert remote.digest() == local.digest()
        assert list(read(bucket / "train", "").paths) == list(read(tmp_path / "train", "").paths)
    assert class_folders(bucket, "train") == class_folders(tmp_path, "train") == ["a", "b"]
    with pytest.raises(ManifestError, match="can be listed .*nowhere: no such file"):
        read_folder(bucket, "nowhere")


def test_kinetics_below_a_remote_root(bucket: RemotePath, write: Write) -> None:
    table = read_annotations(write("train.csv", "label,youtube_id,time_start,time_end,split\nx,1,1,2,train\n"))
    manifest = read_kinetics(table, bucket, class_names=["x"])
    assert list(manifest.paths) == ["train/a/sub/1_000001_000002.mp4"]


def test_urls_in_a_list(write: Write) -> None:
    lines = write("train.txt", "https://host/a.mp4?sig=1 0\ns3://bucket//b.mp4 1\nc.mp4 1\n")
    manifest = read_list(lines, Path())
    assert manifest.name(0) == manifest.shown_paths[0] == "https://host/a.mp4?***"
    assert list(manifest.shown_paths[1:]) == list(manifest.paths[1:])
    assert manifest.name(1) == "s3://bucket//b.mp4"
    assert [manifest.storage.fetchable(path) is not None for path in manifest.paths] == [True, True, False]
    for root in (Path("/data"), location("s3://bucket")):
        with pytest.raises(ManifestError, match="line 1: .*leaves DATA.ROOT"):
            read_list(lines, root)


def test_lines_do_not_leave_a_remote_root(write: Write) -> None:
    for line in ("../a.mp4", "a/../../b.mp4", "/a.mp4"):
        with pytest.raises(ManifestError, match="leaves DATA.ROOT"):
            read_list(write("list.txt", line), location("s3://bucket/videos"))


def test_a_forbidden_video_counts_as_missing(http: HttpFolder, write: Write) -> None:
    """S3 answers 403 for a missing file if listing is denied."""
    (http.folder / "b.mp4").write_bytes(b"x")
    http.faults = {name: deque(["403"] * 10) for name in ("a.mp4", "c.mp4")}
    require_files(read_list(write("list.txt", "a.mp4\nb.mp4\n"), location(http.url)))
    with pytest.raises(ManifestError, match=r"none of the 2 .* example http://.*a.mp4: .*403.*; check DATA.ROOT"):
        require_files(read_list(write("list.txt", "a.mp4\nc.mp4\n"), location(http.url)))


def test_the_first_error_does_not_wait_for_other_shards(http: HttpFolder, tmp_path: Path) -> None:
    """Nor does Ctrl-C."""
    write_tar(http.folder / "b.tar", {"0.mp4": b"x"})
    http.faults["b.tar"], http.hang_seconds = deque(["hang"] * 9), 30.0
    began = time.monotonic()
    with pytest.raises(ManifestError, match="a.tar: no such file"):
        read_shards("{a,b}.tar", location(http.url), index_folder=tmp_path / "index")
    assert time.monotonic() - began < 20


def test_wrong_roots_are_noticed_at_once(bucket: RemotePath) -> None:
    manifest = read_list(bucket / "train.txt", location("memory://elsewhere"))
    with pytest.raises(ManifestError, match="none of the 2 videos exists, for example memory://"):
        require_files(manifest)


def test_the_same_video_in_both_lists(bucket: RemotePath) -> None:
    manifest = read_list(bucket / "train.txt", bucket)
    with pytest.raises(ManifestError, match="such as memory://"):
        require_comparable(manifest, manifest)
