"""Remote videos in loader processes: the pixels of the files; a slow network blocks no video, a dead one is named."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch

from sce_video.clips.decoders import DecodeError, VideoOpener
from sce_video.data.checks import require_files
from sce_video.data.remote_storage import RemoteFiles
from sce_video.data.sources import read_folder, read_list, read_shards
from sce_video.data.videos import ListedVideos, StoredVideos, videos_from_paths
from sce_video.data.watched import WatchedVideos
from sce_video.engine.pool.workers import Workers
from sce_video.engine.remote import RemotePath, location
from sce_video.engine.remote.cache import FileCache
from sce_video.engine.remote.retry import RetryPolicy
from sce_video.engine.remote.videos import VideoFiles
from tests.engine.remote.shards.tars import write_tar
from tests.servers import HttpFolder, cached_bytes, http_server

QUICK = RetryPolicy(total_seconds=20.0, first_wait_seconds=0.02)
NUM_VIDEOS = 6


@pytest.fixture
def local(motion_videos: Path) -> ListedVideos:
    manifest = read_folder(motion_videos, "train")
    return manifest.part(range(NUM_VIDEOS), origin="a few")


@pytest.fixture
def served(motion_videos: Path) -> Iterator[HttpFolder]:
    with http_server(HttpFolder(motion_videos)) as state:
        yield state


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., VideoFiles]:
    def make(retry_policy: RetryPolicy = QUICK, limit_bytes: int = 10**8) -> VideoFiles:
        cache = FileCache(tmp_path / "cache", limit_bytes=limit_bytes)
        cache.prepare()
        return VideoFiles(cache, retry_policy)

    return make


MakeFiles = Callable[..., VideoFiles]


def remote_videos(state: HttpFolder, local: ListedVideos, files: VideoFiles) -> StoredVideos:
    return over_http(state, local).opened_by(VideoOpener("pyav"), lambda: files)


def over_http(state: HttpFolder, local: ListedVideos) -> ListedVideos:
    return replace(local, storage=RemoteFiles(RemotePath(state.url)))


def frames(videos: WatchedVideos | StoredVideos, video: int) -> torch.Tensor:
    with videos.open(video) as opened:
        return opened.frames_at([0.0, 0.1]).clone()


def in_workers(videos: StoredVideos, *, timeout_seconds: float = 60.0, num_workers: int = 2) -> tuple[list, Workers]:
    """Frames of every video from loader processes, or why it has none."""
    workers = Workers(
        num_workers,
        num_items=len(videos),
        timeout_seconds=timeout_seconds,
        name=videos.listed.name,
        tasks_ahead=2,
    )
    watched = WatchedVideos(videos, workers)

    def work(video: int) -> torch.Tensor | str:
        try:
            return frames(watched, video)
        except DecodeError as error:
            return str(error)

    return list(workers.results(work, range(len(videos)))), workers


def expected(local: ListedVideos) -> list[torch.Tensor]:
    return [frames(local.opened_by(VideoOpener("pyav")), video) for video in range(len(local))]


def test_pixels_over_faulty_http_in_forked_workers(
    served: HttpFolder, local: ListedVideos, make_files: MakeFiles
) -> None:
    served.fail_first = ("503",)
    videos = remote_videos(served, local, make_files())
    require_files(videos.listed)  # fsspec was used in this process before the fork
    for _ in range(2):
        found, workers = in_workers(videos)
        assert all(map(torch.equal, found, expected(local)))
        assert workers.blocked() == {}
    assert [served.gets()[path] for path in local.paths] == [2] * NUM_VIDEOS


def test_s3_in_forked_workers(s3_bucket: str, local: ListedVideos, make_files: MakeFiles) -> None:
    import boto3

    for path in local.paths:
        boto3.client("s3").upload_file(str(local.storage.root) + "/" + path, s3_bucket, f"v/{path}")
    boto3.client("s3").put_object(Bucket=s3_bucket, Key="list.txt", Body="\n".join(local.paths).encode())
    manifest = read_list(location(f"s3://{s3_bucket}/list.txt"), location(f"s3://{s3_bucket}/v"))
    require_files(manifest)
    assert manifest.digest() == local.digest()
    found, _ = in_workers(manifest.opened_by(VideoOpener("pyav"), make_files))
    assert all(map(torch.equal, found, expected(local)))


def test_pixels_from_shards(served: HttpFolder, local: ListedVideos, make_files: MakeFiles, tmp_path: Path) -> None:
    members = {f"{index}.mp4": (local.storage.root / path).read_bytes() for index, path in enumerate(local.paths)}
    write_tar(tmp_path / "tars" / "a.tar", members)
    with http_server(HttpFolder(tmp_path / "tars")) as state:
        for root in (location(state.url), tmp_path / "tars"):
            manifest = read_shards("a.tar", root, index_folder=tmp_path / "index")
            state.faults = {"a.tar": deque(["short", "503", "drop"])}
            found, _ = in_workers(manifest.opened_by(VideoOpener("pyav"), make_files))
            assert all(map(torch.equal, found, expected(local)))


def test_a_cache_smaller_than_the_videos(served: HttpFolder, local: ListedVideos, make_files: MakeFiles) -> None:
    """Files are evicted while loader processes run; no video fails."""
    largest = max((local.storage.root / path).stat().st_size for path in local.paths)
    videos = remote_videos(served, local, make_files(limit_bytes=3 * largest))
    for _ in range(3):
        found, _ = in_workers(videos, num_workers=3)
        assert all(map(torch.equal, found, expected(local)))
    assert sum(served.gets()[path] for path in local.paths) > NUM_VIDEOS


def test_a_slow_network_blocks_no_video(served: HttpFolder, local: ListedVideos, make_files: MakeFiles) -> None:
    """Fetching takes three times as long as a process may be on a video."""
    served.fail_first, served.hang_seconds = ("hang",), 1.5
    few = local.part(range(2), origin="two")
    found, workers = in_workers(remote_videos(served, few, make_files()), timeout_seconds=0.5)
    assert all(map(torch.equal, found, expected(few)))
    assert workers.blocked() == {}


def test_a_dead_network_is_named_and_blocks_no_video(
    served: HttpFolder, local: ListedVideos, make_files: MakeFiles
) -> None:
    served.fail_first = ("503",) * 1000
    few = local.part(range(2), origin="two")
    impatient = make_files(RetryPolicy(total_seconds=5.0, first_wait_seconds=0.5))
    found, workers = in_workers(remote_videos(served, few, impatient))
    for reason, path in zip(found, few.paths, strict=True):
        assert reason.startswith(f"{served.url}/{path}: cannot be fetched (")
        assert "503" in reason
        assert "\n" not in reason
    assert workers.blocked() == {}
    served.fail_first = ()
    found, _ = in_workers(remote_videos(served, few, make_files()))
    assert all(map(torch.equal, found, expected(few)))


def test_missing_and_broken_videos_are_named_by_their_url(
    http: HttpFolder, make_files: MakeFiles, motion_videos: Path, tmp_path: Path
) -> None:
    (http.folder / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + os.urandom(1000))
    manifest = videos_from_paths(location(http.url), ["broken.mp4", "missing.mp4"], None, "list")
    videos = manifest.opened_by(VideoOpener("pyav"), make_files)
    with pytest.raises(DecodeError, match=f"^{http.url}/broken.mp4: incomplete: no index") as caught:
        frames(videos, 0)
    assert str(tmp_path / "cache") not in str(caught.value)
    (http.folder / "broken.mp4").write_bytes(next(motion_videos.rglob("*.mp4")).read_bytes())
    assert len(frames(videos, 0)) == 2  # what could not be opened was not kept
    with pytest.raises(DecodeError, match=f"^{http.url}/missing.mp4: no such file$"):
        frames(videos, 1)


def test_a_video_that_cannot_be_decoded_is_not_kept(
    served: HttpFolder, local: ListedVideos, make_files: MakeFiles
) -> None:
    """It may be half a file, from a server that gives no length."""

    class Half:
        def __init__(self, path: str) -> None:
            self.path = path

        def frames_at(self, times_seconds: Sequence[float]) -> torch.Tensor:
            raise DecodeError(f"{self.path}: cannot be decoded")

        def __enter__(self) -> "Half":
            return self

        def __exit__(self, *error: object) -> None:
            pass

    files = make_files()
    opener = cast(VideoOpener, Half)
    with (
        pytest.raises(DecodeError, match=f"^{served.url}/{local.paths[0]}: cannot be decoded$"),
        over_http(served, local).opened_by(opener, lambda: files).open(0) as opened,
    ):
        opened.frames_at([0.0])
    assert cached_bytes(files.cache) == 0


def test_a_video_larger_than_the_cache_is_named(served: HttpFolder, local: ListedVideos, make_files: MakeFiles) -> None:
    videos = remote_videos(served, local, make_files(limit_bytes=100))
    with pytest.raises(DecodeError, match=f"^{served.url}/{local.paths[0]}: .*more than DATA.CACHE_GB"):
        frames(videos, 0)


def test_images_are_known_by_their_names(http: HttpFolder, make_files: MakeFiles) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30), (255, 0, 0)).save(http.folder / "red.PNG")
    manifest = videos_from_paths(location(http.url), ["red.PNG"], None, "list")
    assert frames(manifest.opened_by(VideoOpener("pyav"), make_files), 0).shape == (2, 3, 30, 40)


def test_a_shard_that_has_been_cut_short(motion_videos: Path, make_files: MakeFiles, tmp_path: Path) -> None:
    file = write_tar(tmp_path / "a.tar", {"0.mp4": bytes(10_000)})
    manifest = read_shards("a.tar", tmp_path, index_folder=tmp_path / "index")
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DecodeError, match="is truncated"):
        frames(manifest.opened_by(VideoOpener("pyav"), make_files), 0)


def test_a_shard_that_has_become_a_fifo(make_files: MakeFiles, tmp_path: Path) -> None:
    file = write_tar(tmp_path / "a.tar", {"0.mp4": bytes(10)})
    manifest = read_shards("a.tar", tmp_path, index_folder=tmp_path / "index")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(DecodeError, match=r"a\.tar cannot be read \(it is a FIFO"):
        frames(manifest.opened_by(VideoOpener("pyav"), make_files), 0)


def test_without_a_cache_a_remote_video_is_refused(local: ListedVideos) -> None:
    with pytest.raises(ValueError, match="files="):
        replace(local, storage=RemoteFiles(RemotePath("s3://bucket"))).opened_by(VideoOpener("pyav"))
