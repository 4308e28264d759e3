"""Remote videos: clips per second of the loader over HTTP and S3, with an empty and a full cache.

    python benchmarks/remote.py [FOLDER] [--quick] [--json FILE] [--cache DIR]

The loader of benchmarks/loader.py (1 worker, files of short side 256, GOP 4) on local files and on the same files
behind a local HTTP server and moto's S3, as single files and in tar shards. The peer is fsspec's `simplecache`, an
unbounded cache of whole files, with the same decoder and loader. The servers run on the same cores: this measures
overhead, not a network.
"""

import argparse
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import fsspec
from harness import Row, alternate, new_parser, publish, speed_ratio, use_cores
from loader import BATCH_SIZE, DECODER, our_loader, seconds_per_clip
from servers import http_server, s3_server
from videos import NUM_CLIPS, ORIGINALS, encode_all, find_videos

from sce_video.clips.decoders import VideoDecoder, VideoOpener, Videos, open_video
from sce_video.data.sources import read_shards
from sce_video.data.videos import ListedVideos, StoredVideos, videos_from_paths
from sce_video.engine.remote import location
from sce_video.engine.remote.cache import FileCache
from sce_video.engine.remote.videos import VideoFiles
from sce_video.launch.program import exit_code_of

BUCKET, SHARDS = "videos", "train-{0..3}.tar"
NUM_SHARDS = 4
CACHE_BYTES = 20 * 10**9


@dataclass(frozen=True)
class SimpleCached:
    """Videos behind fsspec's `simplecache`."""

    url: str
    names: list[str]
    folder: str

    def __len__(self) -> int:
        return len(self.names)

    def open(self, video: int) -> VideoDecoder:
        url = f"simplecache::{self.url}/{self.names[video]}"
        path = fsspec.open_local(url, simplecache={"cache_storage": self.folder})
        return open_video(str(path), decoder=DECODER)


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ORIGINALS, help="videos, searched recursively")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the re-encoded files there for the next run")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    num_batches, num_rounds = (5, 1) if arguments.quick else (40, 7)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as servers:
        originals = find_videos(arguments.folder, num_videos=1 if arguments.quick else None)
        files = encode_all(originals, arguments.cache or Path(temporary), name="256p_gop4")
        served, caches = Path(temporary) / "served", Path(temporary) / "caches"
        names = write_served(files, served, num_videos=BATCH_SIZE * num_batches)
        use_cores(2)
        http = servers.enter_context(http_server(served))
        servers.enter_context(s3_server(served, bucket=BUCKET))
        measured = candidates(served, names, {"http": http, "s3": f"s3://{BUCKET}"}, caches)
        seconds = alternate(measured, num_rounds=num_rounds)
        mean_bytes = sum((served / name).stat().st_size for name in names) / len(names)
    rows = [row(name, taken, mean_bytes) for name, taken in seconds.items()]
    publish(rows=rows, ratios=ratios(seconds), json_file=arguments.json)


def write_served(files: list[Path], served: Path, *, num_videos: int) -> list[str]:
    """Copy the files, repeatedly, to `num_videos` names and write all of them to shards too; return the names."""
    served.mkdir()
    names = [f"{index:05d}.mp4" for index in range(num_videos)]
    for index, name in enumerate(names):
        shutil.copyfile(files[index % len(files)], served / name)
    for shard in range(NUM_SHARDS):
        with tarfile.open(served / f"train-{shard}.tar", "w") as tar:
            for name in names[shard::NUM_SHARDS]:
                tar.add(served / name, name)
    return names


def candidates(served: Path, names: list[str], urls: dict[str, str], caches: Path) -> dict[str, Callable[[], float]]:
    """Functions to time, each cold cache before its warm one, which is what the cold run has left."""
    found: dict[str, Callable[[], float]] = {"local files": lambda: clip_seconds(listed(str(served), names, caches))}
    for server, url in urls.items():
        found |= both(f"{server}, files", caches / server, partial(listed, url, names))
        found |= both(f"{server}, shards", caches / f"{server}_shards", partial(in_shards, url))
        found |= both(f"{server}, simplecache", caches / f"{server}_simple", partial(simply_cached, url, names))
    return found


def both(name: str, cache: Path, make: Callable[[Path], Videos]) -> dict[str, Callable[[], float]]:
    def cold() -> float:
        shutil.rmtree(cache, ignore_errors=True)
        return clip_seconds(make(cache))

    def warm() -> float:
        if not cache.exists():  # rounds begin with different candidates
            clip_seconds(make(cache))
        return clip_seconds(make(cache))

    return {f"{name}, cold": cold, f"{name}, warm": warm}


def listed(root: str, names: list[str], cache: Path) -> StoredVideos:
    return with_cache(videos_from_paths(location(root), names, None, root), cache)


def in_shards(root: str, cache: Path) -> StoredVideos:
    return with_cache(read_shards(SHARDS, location(root), index_folder=cache.parent / "index"), cache)


def with_cache(manifest: ListedVideos, cache: Path) -> StoredVideos:
    files = FileCache(cache, limit_bytes=CACHE_BYTES)
    files.prepare()
    return manifest.opened_by(VideoOpener(DECODER), lambda: VideoFiles(files))


def simply_cached(url: str, names: list[str], cache: Path) -> SimpleCached:
    return SimpleCached(url, names, str(cache))


def clip_seconds(videos: Videos) -> float:
    """Seconds per clip when every video is read once."""
    loader = our_loader(videos, num_workers=1)
    return seconds_per_clip(loader.batches_from(0, num_steps=loader.steps_per_epoch), 1)


def row(name: str, seconds: list[float], mean_bytes: float) -> Row:
    """Clips per second, and MB/s of whole files."""
    rates = [1 / taken for taken in seconds]
    megabytes = median(rates) / NUM_CLIPS * mean_bytes / 1e6
    return {
        "what": name,
        "clips_per_s": median(rates),
        "min": min(rates),
        "max": max(rates),
        "MB_per_s": megabytes,
    }


def ratios(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Speed relative to local files (the overhead) and to simplecache."""
    found = {}
    for server in ("http", "s3"):
        for state in ("cold", "warm"):
            for kind in ("files", "shards"):
                ours = seconds[f"{server}, {kind}, {state}"]
                found[f"{server}_{kind}_{state}_vs_local"] = speed_ratio(ours, seconds["local files"])
            peer = seconds[f"{server}, simplecache, {state}"]
            found[f"{server}_{state}_vs_simplecache"] = speed_ratio(seconds[f"{server}, files, {state}"], peer)
    return found


if __name__ == "__main__":
    sys.exit(main())
