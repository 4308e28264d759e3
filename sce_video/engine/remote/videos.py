"""Videos behind URLs and in tar shards: copied into the local cache, opened there, named by their origin."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from torch import Tensor

from sce_video.clips.decoders import CropRequest, DecodeError, VideoDecoder, VideoMetadata, VideoOpener
from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from sce_video.engine.pool.watchdog import waiting_for_others
from sce_video.engine.remote import Location, RemoteError, RemotePath
from sce_video.engine.remote.cache import FileCache, HeldFile, TooLargeError
from sce_video.engine.remote.cache.folder import MakeRoom
from sce_video.engine.remote.retry import RETRY_POLICY, RetryPolicy
from sce_video.engine.remote.shards.member import Member, find_member
from sce_video.engine.remote.transfer import fetch, read_range
from sce_video.special_files import refuse_special_file

_PIECE_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Fetchable:
    """A video to be copied into the cache.

    Args:
        name: for messages.
        key: unique and permanent, names the copy.
        suffix: of the copy's file name.
        fill: writes the copy.
    """

    name: str
    key: str
    suffix: str
    fill: Callable[[str, MakeRoom, RetryPolicy], None]


def whole_file(remote: RemotePath) -> Fetchable:
    """A video that is one file behind a URL."""
    return Fetchable(
        str(remote),
        remote.key,
        _suffix(remote.name),
        lambda target, make_room, retry_policy: fetch(remote, target, make_room=make_room, retry_policy=retry_policy),
    )


def shard_member(folder: Location, path: str, *, versions: Mapping[str, str]) -> Fetchable:
    """A video in a shard below a folder or URL.

    Args:
        path: as `member_path` gives it.
        versions: version of each shard by its path below the folder; a new version is a new key.
    """
    member = find_member(path)
    shard = folder / member.shard
    shard_key = shard.key if isinstance(shard, RemotePath) else str(shard.absolute())
    return Fetchable(
        str(folder / path),
        f"{shard_key} {versions[member.shard]} {member.start}+{member.length}",
        _suffix(member.name),
        partial(_cut_out, shard, member),
    )


@dataclass(frozen=True)
class VideoFiles:
    """Opens videos behind URLs and in shards through the cache."""

    cache: FileCache
    retry_policy: RetryPolicy = RETRY_POLICY

    def open(self, video: Fetchable, opener: VideoOpener) -> VideoDecoder:
        """Open a video; raises as `VideoOpener` does, DecodeError if it cannot be fetched, and CacheError."""
        held = self.hold(video)
        try:
            with _named(held, video.name):
                return _HeldVideo(opener(held.path), held, video.name, self.cache)
        except DecodeError:  # may be a proxy's error page, or a truncated file of unknown length: do not keep it
            self.cache.drop(held)
            raise
        except BaseException:
            held.close()
            raise

    def hold(self, video: Fetchable) -> HeldFile:
        """The video as a local file.

        Time spent here does not count against the video in the watchdog, so a slow network neither ends the loader
        process nor blocks the video. The longest wait is for another process that fails to fetch it, and then for this.

        Raises:
            DecodeError: it cannot be fetched, or is larger than the cache.
            CacheError: the cache folder cannot be used.
        """

        def fill(target: str, make_room: MakeRoom) -> None:
            video.fill(target, make_room, self.retry_policy)

        try:
            with waiting_for_others(most_seconds=2 * self.retry_policy.total_seconds + 120):
                return self.cache.hold(video.key, suffix=video.suffix, fill=fill)
        except RemoteError as error:
            raise DecodeError(str(error)) from error
        except TooLargeError as error:
            raise DecodeError(f"{video.name}: {error}") from error


def _cut_out(shard: Location, member: Member, target: str, make_room: MakeRoom, retry_policy: RetryPolicy) -> None:
    make_room(member.length)
    deadline = retry_policy.deadline()
    with open(target, "wb") as file:
        for start in range(member.start, member.start + member.length, _PIECE_BYTES):
            length = min(_PIECE_BYTES, member.start + member.length - start)
            if isinstance(shard, RemotePath):
                file.write(read_range(shard, start, length, retry_policy=retry_policy, deadline=deadline))
            else:
                file.write(_read_part(shard, start, length))


def _read_part(file: Path, start: int, length: int) -> bytes:
    try:
        refuse_special_file(file)
        with file.open("rb", buffering=0) as opened:
            opened.seek(start)
            content = opened.read(length) or b""
    except OSError as error:
        raise RemoteError(f"{file} cannot be read ({error.strerror})") from error
    if len(content) < length:
        raise RemoteError(f"{file} is truncated: {len(content)} of {length} bytes at offset {start}")
    return content


def _suffix(name: str) -> str:
    """The known suffix of a name, else ""; nothing else of a foreign name becomes part of a local one."""
    return next((ending for ending in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES) if name.lower().endswith(ending)), "")


@contextmanager
def _named(held: HeldFile, name: str) -> Iterator[None]:
    """Make errors name the video instead of its local copy."""
    try:
        yield
    except DecodeError as error:
        raise DecodeError(str(error).replace(held.path, name)) from error


class _HeldVideo:
    """An open video that keeps its local copy until it is closed, since decoders may reopen the file.

    The copy is dropped after a DecodeError, as one that cannot be opened.
    """

    def __init__(self, decoder: VideoDecoder, held: HeldFile, name: str, cache: FileCache) -> None:
        self._decoder = decoder
        self._held = held
        self._name = name
        self._cache = cache

    @property
    def metadata(self) -> VideoMetadata:
        return self._decoder.metadata

    def frames_at(self, times_seconds: Sequence[float]) -> Tensor:
        with _named(self._held, self._name):
            return self._decoder.frames_at(times_seconds)

    def crops_at(self, requests: Sequence[CropRequest]) -> list[Tensor]:
        with _named(self._held, self._name):
            return self._decoder.crops_at(requests)

    def __enter__(self) -> "_HeldVideo":
        with _named(self._held, self._name):
            self._decoder.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._decoder.__exit__(error_type, error, traceback)
        finally:
            if isinstance(error, DecodeError):
                self._cache.drop(self._held)
            self._held.close()
