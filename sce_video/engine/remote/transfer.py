"""Bytes of remote files, tried again while that may help; every request ends (see `bounded`)."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from sce_video.engine.remote.bounded import BytesIntake, WholeFileError, ask, http_status, read_http
from sce_video.engine.remote.filesystem import file_system
from sce_video.engine.remote.retry import (
    PATIENCE_AT_START,
    Patience,
    RefusedError,
    RemoteError,
    ShortReadError,
    is_temporary,
    patiently,
    status_of,
)

if TYPE_CHECKING:
    from sce_video.engine.remote.location import RemotePath

_VERSION_NAMES = ("ETag", "etag", "md5", "Content-MD5", "LastModified", "Last-Modified", "mtime", "last_modified")
_PARTIAL_CONTENT = 206
# A list of videos, and a listing of a bucket, may be long: ten million lines.
_MOST_LIST_BYTES = 2**30
_LIST_SECONDS = 600.0
# Of a video whose length the server does not say. One that it says is bounded by that, and both by DATA.CACHE_GB.
_MOST_UNANNOUNCED_BYTES = 2 * 2**30


class FileFacts(NamedTuple):
    """Size in bytes; `version` changes when the file is written anew, as far as the server says."""

    size: int
    version: str


def exists(path: "RemotePath") -> bool:
    """Raises RemoteError where that cannot be told."""

    def attempt(deadline: float) -> bool:
        system, name = file_system(path.url)
        try:
            ask(system, "info", name, deadline=deadline)
        except FileNotFoundError as error:
            if is_temporary(error) or status_of(error) not in (None, 404):
                raise
            return False
        return True

    return patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def file_facts(path: "RemotePath") -> FileFacts:
    """Raises RemoteError, also where the server does not say how long the file is."""

    def attempt(deadline: float) -> FileFacts:
        system, name = file_system(path.url)
        about = ask(system, "info", name, deadline=deadline)
        if about.get("size") is None:
            raise RemoteError(f"{path}: the server does not say how long the file is")
        version = next((str(about[key]) for key in _VERSION_NAMES if about.get(key)), "")
        return FileFacts(int(about["size"]), version.strip('"'))

    return patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def has_ranges(path: "RemotePath") -> bool:
    """Whether parts of the file can be asked for, which not all HTTP servers know; raises RemoteError."""

    def attempt(deadline: float) -> bool:
        system, name = file_system(path.url)
        return http_status(system, name, deadline=deadline, Range="bytes=0-0") == _PARTIAL_CONTENT

    return not _is_http(path) or patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def read_bytes(path: "RemotePath") -> bytes:
    """The whole of a list; raises RemoteError, also for one of more than a GiB."""

    def attempt(_: float) -> bytes:
        system, name = file_system(path.url)
        deadline, intake = time.monotonic() + _LIST_SECONDS, BytesIntake(path, most_bytes=_MOST_LIST_BYTES)
        if _is_http(path):
            read_http(system, name, intake, deadline=deadline)
            return bytes(intake.content)
        intake.begin(ask(system, "info", name, deadline=deadline).get("size"))
        content: bytes = ask(system, "cat_file", name, deadline=deadline)
        return content

    return patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def read_range(path: "RemotePath", start: int, length: int, *, patience: Patience, deadline: float) -> bytes:
    """`length` bytes from `start` on; raises RemoteError."""

    def attempt(deadline: float) -> bytes:
        system, name = file_system(path.url)
        intake = BytesIntake(path, most_bytes=length)
        try:
            if _is_http(path):
                read_http(system, name, intake, span=(start, start + length), deadline=deadline)
            else:
                intake.take(ask(system, "cat_file", name, start=start, end=start + length, deadline=deadline))
        except (WholeFileError, RefusedError) as error:
            raise RemoteError(f"{path}: the server sends the whole file where a part was asked for") from error
        if len(intake.content) < length:
            raise ShortReadError(f"{len(intake.content)} of {length} bytes came")
        return bytes(intake.content)

    return patiently(attempt, name=path, patience=patience, deadline=deadline)


def fetch(path: "RemotePath", target: str, *, make_room: Callable[[int], None], patience: Patience) -> None:
    """Write the whole file to `target`, which is there when it ends well.

    Args:
        make_room: is told of so many bytes in all before they are written.
    Raises:
        RemoteError; whatever `make_room` raises; OSError of this machine's disk.
    """

    def attempt(deadline: float) -> None:
        system, name = file_system(path.url)
        if _is_http(path):
            with open(target, "wb") as file:
                read_http(system, name, _FileIntake(path, file, make_room), deadline=deadline)
        else:
            progress = _progress(make_room, deadline)
            ask(system, "get_file", name, target, callback=progress, deadline=deadline)
            written = os.path.getsize(target)
            if progress.size not in (None, written):
                raise ShortReadError(f"{written} of {progress.size} bytes came")
        make_room(os.path.getsize(target))

    patiently(attempt, name=path, patience=patience)


class _FileIntake:
    """Writes an answer to a file, in room that is made before."""

    def __init__(self, path: "RemotePath", file: BinaryIO, make_room: Callable[[int], None]) -> None:
        self._path, self._file, self._make_room = path, file, make_room
        self._num_bytes = 0
        self._room = 0

    def begin(self, announced_bytes: int | None) -> None:
        if announced_bytes is not None:
            self._make_room(announced_bytes)
            self._room = announced_bytes

    def take(self, piece: bytes) -> None:
        self._num_bytes += len(piece)
        if self._num_bytes > self._room:
            if self._num_bytes > _MOST_UNANNOUNCED_BYTES:
                most = f"{_MOST_UNANNOUNCED_BYTES} bytes, the most without saying how many before"
                raise RefusedError(f"{self._path}: the server sends more than {most}")
            self._make_room(self._num_bytes)
        self._file.write(piece)


def listed_files(path: "RemotePath") -> list[str]:
    """Names of all files below a remote folder, relative to it; raises RemoteError."""

    def attempt(_: float) -> list[str]:
        system, top = file_system(path.url)
        deadline = time.monotonic() + _LIST_SECONDS
        found = [str(name) for name in ask(system, "find", top, deadline=deadline)]
        if not found and not ask(system, "exists", top, deadline=deadline):
            raise FileNotFoundError(top)
        top = top.rstrip("/") + "/"
        return [name.removeprefix(top) for name in found if name.startswith(top)]

    return patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def _progress(make_room: Callable[[int], None], deadline: float) -> Any:
    """What fsspec reports to while it writes a file; it ends the attempt at the deadline."""
    from fsspec.callbacks import Callback

    class Progress(Callback):
        def set_size(self, size: int | None) -> None:
            super().set_size(size)
            if size is not None:
                make_room(size)

        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if self.size is None or self.value > self.size:
                make_room(self.value)
            if time.monotonic() > deadline:
                raise ShortReadError(f"{self.value} bytes came until the deadline")

    return Progress()


def _is_http(path: "RemotePath") -> bool:
    return path.url.lower().startswith(("http://", "https://"))
