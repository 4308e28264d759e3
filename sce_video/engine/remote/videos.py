"""Videos that are not files of this machine: fetched into the cache, opened there, named as what they are."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from torch import Tensor

from sce_video.clips.decoders import CropRequest, DecodeError, VideoDecoder, VideoMetadata, VideoOpener
from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from sce_video.engine.pool.watchdog import waiting_for_others
from sce_video.engine.remote import PATIENCE, Location, Patience, RemoteError, RemotePath
from sce_video.engine.remote.cache import FileCache, HeldFile, TooLargeError
from sce_video.engine.remote.cache.folder import Fill, MakeRoom
from sce_video.engine.remote.shards.member import Member, find_member
from sce_video.engine.remote.transfer import fetch, read_range
from sce_video.special_files import refuse_special_file

_PIECE_BYTES = 8 * 2**20


class ListOfVideos(Protocol):
    """What is asked of a manifest."""

    @property
    def root(self) -> Location: ...

    @property
    def paths(self) -> Sequence[str]: ...

    @property
    def versions(self) -> Mapping[str, str] | None: ...

    def path(self, video: int) -> Location: ...


@dataclass(frozen=True)
class VideoFiles:
    """Gets the videos of a manifest that are remote or in shards."""

    cache: FileCache
    patience: Patience = PATIENCE

    def open(self, manifest: ListOfVideos, video: int, opener: VideoOpener) -> VideoDecoder:
        """Raises as `VideoOpener`, and DecodeError for a video that cannot be fetched; CacheError ends the run."""
        name = str(manifest.path(video))
        held = self.hold(manifest, video)
        try:
            with _named(held, name):
                return _HeldVideo(opener(held.path), held, name, self.cache)
        except DecodeError:  # perhaps a proxy's page, or half a file of a server that says no length: do not keep it
            self.cache.drop(held)
            raise
        except BaseException:
            held.close()
            raise

    def hold(self, manifest: ListOfVideos, video: int) -> HeldFile:
        """The video as a local file.

        However slow the network is, the loader process is not ended over it, nor is the video lost for good.
        The longest wait is for another process that fetches the same video, and then for one's own turn.

        Raises:
            DecodeError: it cannot be fetched, or is larger than the cache.
            CacheError: the cache cannot be used.
        """
        key, suffix, fill = self._what_to_fetch(manifest, video)
        try:
            with waiting_for_others(most_seconds=2 * self.patience.total_seconds + 120):
                return self.cache.hold(key, suffix=suffix, fill=fill)
        except RemoteError as error:
            raise DecodeError(str(error)) from error
        except TooLargeError as error:
            raise DecodeError(f"{manifest.path(video)}: {error}") from error

    def _what_to_fetch(self, manifest: ListOfVideos, video: int) -> tuple[str, str, Fill]:
        """What tells the video from all others, the ending of its name, and how to get it."""
        if manifest.versions is None:
            remote = manifest.path(video)
            assert isinstance(remote, RemotePath)
            return (
                remote.key,
                _suffix(remote.name),
                lambda target, make_room: fetch(remote, target, make_room=make_room, patience=self.patience),
            )
        member = find_member(manifest.paths[video])
        shard = manifest.root / member.shard
        place = shard.key if isinstance(shard, RemotePath) else str(shard.absolute())
        key = f"{place} {manifest.versions[member.shard]} {member.start}+{member.length}"
        return key, _suffix(member.name), lambda target, make_room: self._cut_out(shard, member, target, make_room)

    def _cut_out(self, shard: Location, member: Member, target: str, make_room: MakeRoom) -> None:
        make_room(member.length)
        deadline = self.patience.deadline()
        with open(target, "wb") as file:
            for start in range(member.start, member.start + member.length, _PIECE_BYTES):
                length = min(_PIECE_BYTES, member.start + member.length - start)
                if isinstance(shard, RemotePath):
                    file.write(read_range(shard, start, length, patience=self.patience, deadline=deadline))
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
