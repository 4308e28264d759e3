"""Videos that are not files of this machine: fetched into the cache, opened there, named as what they are."""

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
from sce_video.engine.remote import PATIENCE, Location, Patience, RemoteError, RemotePath
from sce_video.engine.remote.cache import FileCache, HeldFile, TooLargeError
from sce_video.engine.remote.cache.folder import MakeRoom
from sce_video.engine.remote.shards.member import Member, find_member
from sce_video.engine.remote.transfer import fetch, read_range
from sce_video.special_files import refuse_special_file

_PIECE_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Fetchable:
    """A video that is no file of this machine.

    `name` is for messages, `key` tells it from all others, `suffix` ends the name of its copy, `fill` gets it.
    """

    name: str
    key: str
    suffix: str
    fill: Callable[[str, MakeRoom, Patience], None]


def whole_file(remote: RemotePath) -> Fetchable:
    """A video that is a file behind a URL."""
    return Fetchable(
        str(remote),
        remote.key,
        _suffix(remote.name),
        lambda target, make_room, patience: fetch(remote, target, make_room=make_room, patience=patience),
    )


def shard_member(folder: Location, path: str, *, versions: Mapping[str, str]) -> Fetchable:
    """A video in a shard below a folder or URL.

    Args:
        path: that of `member_path`.
        versions: of each shard, by its path below the folder, what tells that it was written anew.
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
    """Gets videos that are remote or in shards, by way of the cache."""

    cache: FileCache
    patience: Patience = PATIENCE

    def open(self, video: Fetchable, opener: VideoOpener) -> VideoDecoder:
        """Raises as `VideoOpener`, and DecodeError for a video that cannot be fetched; CacheError ends the run."""
        held = self.hold(video)
        try:
            with _named(held, video.name):
                return _HeldVideo(opener(held.path), held, video.name, self.cache)
        except DecodeError:  # perhaps a proxy's page, or half a file of a server that says no length: do not keep it
            self.cache.drop(held)
            raise
        except BaseException:
            held.close()
            raise

    def hold(self, video: Fetchable) -> HeldFile:
        """The video as a local file.

        However slow the network is, the loader process is not ended over it, nor is the video lost for good.
        The longest wait is for another process that fetches the same video, and then for one's own turn.

        Raises:
            DecodeError: it cannot be fetched, or is larger than the cache.
            CacheError: the cache cannot be used.
        """

        def fill(target: str, make_room: MakeRoom) -> None:
            video.fill(target, make_room, self.patience)

        try:
            with waiting_for_others(most_seconds=2 * self.patience.total_seconds + 120):
                return self.cache.hold(video.key, suffix=video.suffix, fill=fill)
        except RemoteError as error:
            raise DecodeError(str(error)) from error
        except TooLargeError as error:
            raise DecodeError(f"{video.name}: {error}") from error


def _cut_out(shard: Location, member: Member, target: str, make_room: MakeRoom, patience: Patience) -> None:
    make_room(member.length)
    deadline = patience.deadline()
    with open(target, "wb") as file:
        for start in range(member.start, member.start + member.length, _PIECE_BYTES):
            length = min(_PIECE_BYTES, member.start + member.length - start)
            if isinstance(shard, RemotePath):
                file.write(read_range(shard, start, length, patience=patience, deadline=deadline))
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
        raise RemoteError(f"{file} has been cut short: {len(content)} of {length} bytes at {start}")
    return content


def _suffix(name: str) -> str:
    """Only endings that are known; nothing else of a foreign name becomes part of a local one."""
    return next((ending for ending in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES) if name.lower().endswith(ending)), "")


@contextmanager
def _named(held: HeldFile, name: str) -> Iterator[None]:
    """Errors name the video, not its local copy."""
    try:
        yield
    except DecodeError as error:
        raise DecodeError(str(error).replace(held.path, name)) from error


class _HeldVideo:
    """An open video whose file stays until it is closed: decoders may open it again on the way.

    One that is left with a DecodeError is not kept, as one that cannot be opened.
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
