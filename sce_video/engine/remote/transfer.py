"""Reading and listing of remote files, with retries; every request has a deadline (see `bounded`)."""

import os
import time
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from sce_video.engine.remote.bounded import MemorySink, WholeFileError, call_method, http_status, read_http
from sce_video.engine.remote.filesystem import file_system
from sce_video.engine.remote.location import RefusedError, RemoteError, RemotePath
from sce_video.engine.remote.retry import (
    START_RETRY_POLICY,
    RetryPolicy,
    ShortReadError,
    is_temporary,
    status_of,
    with_retries,
)

_VERSION_NAMES = ("ETag", "etag", "md5", "Content-MD5", "LastModified", "Last-Modified", "mtime", "last_modified")
_PARTIAL_CONTENT = 206
# A list of videos may have ten million lines.
_MOST_LIST_BYTES = 2**30
_LIST_SECONDS = 600.0
# Limit for a video whose length the server does not give. A given length is its limit; DATA.CACHE_GB bounds both.
_MOST_UNANNOUNCED_BYTES = 2 * 2**30


class FileFacts(NamedTuple):
    """Size in bytes, and a `version` (an ETag or a date) that changes with the content; "" if the server has none."""

    size: int
    version: str


def exists(path: RemotePath) -> bool:
    """Whether the file exists; raises RemoteError if the request fails."""

    def attempt(deadline: float) -> bool:
        system, name = file_system(path.url)
        try:
            call_method(system, "info", name, deadline=deadline)
        except FileNotFoundError as error:
            if is_temporary(error) or status_of(error) not in (None, 404):
                raise
            return False
        return True

    return with_retries(attempt, name=path, retry_policy=START_RETRY_POLICY, logs_retry=True)


def file_facts(path: RemotePath) -> FileFacts:
    """Size and version of the file; raises RemoteError, also if the server does not give its size."""

    def attempt(deadline: float) -> FileFacts:
        system, name = file_system(path.url)
        info = call_method(system, "info", name, deadline=deadline)
        if info.get("size") is None:
            raise RemoteError(f"{path}: the server does not give the file's size")
        version = next((str(info[key]) for key in _VERSION_NAMES if info.get(key)), "")
        return FileFacts(int(info["size"]), version.strip('"'))

    return with_retries(attempt, name=path, retry_policy=START_RETRY_POLICY, logs_retry=True)


def has_ranges(path: RemotePath) -> bool:
    """Whether the server supports range requests, which some HTTP servers do not; raises RemoteError."""

    def attempt(deadline: float) -> bool:
        system, name = file_system(path.url)
        return http_status(system, name, deadline=deadline, Range="bytes=0-0") == _PARTIAL_CONTENT

    return not _is_http(path) or with_retries(attempt, name=path, retry_policy=START_RETRY_POLICY, logs_retry=True)


def read_bytes(path: RemotePath) -> bytes:
    """Content of a list file of at most 1 GiB; raises RemoteError."""

    def attempt(_: float) -> bytes:
        system, name = file_system(path.url)
        deadline, sink = time.monotonic() + _LIST_SECONDS, MemorySink(path, most_bytes=_MOST_LIST_BYTES)
        if _is_http(path):
            read_http(system, name, sink, deadline=deadline)
            return bytes(sink.content)
        sink.begin(call_method(system, "info", name, deadline=deadline).get("size"))
        content: bytes = call_method(system, "cat_file", name, deadline=deadline)
        return content

    return with_retries(attempt, name=path, retry_policy=START_RETRY_POLICY, logs_retry=True)


def read_range(path: RemotePath, start: int, length: int, *, retry_policy: RetryPolicy, deadline: float) -> bytes:
    """`length` bytes from offset `start`; raises RemoteError."""

    def attempt(deadline: float) -> bytes:
        system, name = file_system(path.url)
        sink = MemorySink(path, most_bytes=length)
        try:
            if _is_http(path):
                read_http(system, name, sink, span=(start, start + length), deadline=deadline)
            else:
                sink.take(call_method(system, "cat_file", name, start=start, end=start + length, deadline=deadline))
        except (WholeFileError, RefusedError) as error:
            raise RemoteError(f"{path}: the server ignores range requests and sends the whole file") from error
        if len(sink.content) < length:
            raise ShortReadError(f"{len(sink.content)} of {length} bytes arrived")
        return bytes(sink.content)

    return with_retries(attempt, name=path, retry_policy=retry_policy, deadline=deadline)


def fetch(path: RemotePath, target: str, *, make_room: Callable[[int], None], retry_policy: RetryPolicy) -> None:
    """Download the whole file to `target`.

    Args:
        make_room: called with the total number of bytes before they are written.
    Raises:
        RemoteError; whatever `make_room` raises; OSError of the local disk.
    """

    def attempt(deadline: float) -> None:
        system, name = file_system(path.url)
        if _is_http(path):
            with open(target, "wb") as file:
                read_http(system, name, _FileSink(path, file, make_room), deadline=deadline)
        else:
            progress = _progress(make_room, deadline)
            call_method(system, "get_file", name, target, callback=progress, deadline=deadline)
            written = os.path.getsize(target)
            if progress.size not in (None, written):
                raise ShortReadError(f"{written} of {progress.size} bytes arrived")
        make_room(os.path.getsize(target))

    with_retries(attempt, name=path, retry_policy=retry_policy)


class _FileSink:
    """Writes a response to a file, after making room for it."""

    def __init__(self, path: RemotePath, file: BinaryIO, make_room: Callable[[int], None]) -> None:
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
                most = f"{_MOST_UNANNOUNCED_BYTES} bytes, the limit without a Content-Length"
                raise RefusedError(f"{self._path}: the server sends more than {most}")
            self._make_room(self._num_bytes)
        self._file.write(piece)


def list_files(path: RemotePath) -> list[str]:
    """Paths of all files below a remote folder, relative to it; raises RemoteError."""

    def attempt(_: float) -> list[str]:
        system, top = file_system(path.url)
        deadline = time.monotonic() + _LIST_SECONDS
        found = [str(name) for name in call_method(system, "find", top, deadline=deadline)]
        if not found and not call_method(system, "exists", top, deadline=deadline):
            raise FileNotFoundError(top)
        top = top.rstrip("/") + "/"
        return [name.removeprefix(top) for name in found if name.startswith(top)]

    return with_retries(attempt, name=path, retry_policy=START_RETRY_POLICY, logs_retry=True)


def _progress(make_room: Callable[[int], None], deadline: float) -> Any:
    """fsspec callback that makes room for a download and ends it at the deadline."""
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
                raise ShortReadError(f"{self.value} bytes arrived before the deadline")

    return Progress()


def _is_http(path: RemotePath) -> bool:
    return path.url.lower().startswith(("http://", "https://"))
