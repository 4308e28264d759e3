"""Index of a shard's videos, saved in the cache folder and valid for one version of the shard."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

from sce_video.engine.remote import Location, RemoteError, RemotePath
from sce_video.engine.remote.cache import disk_errors
from sce_video.engine.remote.cache.locks import locked
from sce_video.engine.remote.retry import RETRY_POLICY
from sce_video.engine.remote.shards.read_tar import ShardVideo, read_tar
from sce_video.engine.remote.transfer import FileFacts, file_facts, has_ranges, read_range
from sce_video.errors import ManifestError, reason_of
from sce_video.runtime.files import write_text
from sce_video.runtime.progress import progress_bar
from sce_video.special_files import refuse_special_file

_FORMAT = 2
# Reading waits for servers and takes no core.
_NUM_THREADS = 16


class ShardIndex(NamedTuple):
    """The videos of a shard, and its `version`: the size, with the server's ETag or the file's time."""

    version: str
    videos: list[ShardVideo]


def read_indices(shards: Sequence[Location], folder: Path) -> list[ShardIndex]:
    """The index of each shard, several read at a time; raises as `read_index`."""
    # Not concurrent.futures, whose threads delay Ctrl-C and the first error until all of them have ended.
    with (
        ThreadPool(min(_NUM_THREADS, len(shards))) as pool,
        progress_bar(total=len(shards), description="shards", unit="shard", delay_seconds=5.0) as bar,
    ):
        indices = []
        for index in pool.imap(partial(read_index, folder=folder), shards):
            indices.append(index)
            bar.update()
    return indices


def read_index(shard: Location, folder: Path) -> ShardIndex:
    """The saved index of the shard's current version, or a new one from its headers.

    One process or thread at a time reads a shard, so that the ranks of a machine share the work.

    Args:
        folder: for index files, created if missing.
    Raises:
        ManifestError: the shard cannot be read, or is not a plain tar file.
        CacheError: `folder` cannot be written.
    """
    facts = _facts(shard)
    version = f"{facts.size}-{facts.version}"
    key = shard.key if isinstance(shard, RemotePath) else str(shard.absolute())
    file = folder / f"{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()}.json"
    with disk_errors(folder.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(file.with_suffix(".lock")):
            videos = _kept(file, version)
            if videos is None:
                videos = _read(shard, facts)
                write_text(file, json.dumps({"format": _FORMAT, "version": version, "videos": videos}))
    return ShardIndex(version, videos)


def _kept(file: Path, version: str) -> list[ShardVideo] | None:
    """Videos of the saved index; None if it is missing, damaged or of another version."""
    try:
        refuse_special_file(file)
        content = json.loads(file.read_text(encoding="utf-8"))
        if (content["format"], content["version"]) != (_FORMAT, version):
            return None
        videos = [ShardVideo(*video) for video in content["videos"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return videos if all(map(_is_whole, videos)) else None


def _is_whole(video: ShardVideo) -> bool:
    extent = (video.start, video.length)
    is_label = type(video.label) in (int, str, type(None))
    return isinstance(video.name, str) and is_label and all(type(number) is int and number >= 0 for number in extent)


def _facts(shard: Location) -> FileFacts:
    try:
        if isinstance(shard, RemotePath):
            return file_facts(shard)
        refuse_special_file(shard)
        status = shard.stat()
    except RemoteError as error:
        raise ManifestError(str(error)) from error
    except OSError as error:
        raise ManifestError(f"{shard} cannot be read ({error.strerror})") from error
    return FileFacts(status.st_size, str(status.st_mtime_ns))


def _read(shard: Location, facts: FileFacts) -> list[ShardVideo]:
    try:
        if isinstance(shard, RemotePath):
            if not has_ranges(shard):
                raise ManifestError(f"{shard}: the server does not support HTTP range requests, which shards need")
            return read_tar(
                shard,
                lambda start, length: read_range(
                    shard, start, length, retry_policy=RETRY_POLICY, deadline=RETRY_POLICY.deadline()
                ),
                facts.size,
            )
        with shard.open("rb", buffering=0) as file:

            def read(start: int, length: int) -> bytes:
                file.seek(start)
                return file.read(length) or b""

            return read_tar(shard, read, facts.size)
    except RemoteError as error:
        raise ManifestError(str(error)) from error
    except OSError as error:
        raise ManifestError(f"{shard} cannot be read ({reason_of(error)})") from error
