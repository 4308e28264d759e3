"""Bytes of remote files, tried again while that may help."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sce_video.data.remote.filesystem import file_system
from sce_video.data.remote.retry import (
    PATIENCE_AT_START,
    Patience,
    RemoteError,
    ShortReadError,
    is_temporary,
    patiently,
    status_of,
)

if TYPE_CHECKING:
    from sce_video.data.remote.location import RemotePath

_VERSION_NAMES = ("ETag", "etag", "md5", "Content-MD5", "LastModified", "Last-Modified", "mtime", "last_modified")
_PARTIAL_CONTENT = 206


class FileFacts(NamedTuple):
    """Size in bytes; `version` changes when the file is written anew, as far as the server says."""

    size: int
    version: str


def exists(path: "RemotePath") -> bool:
    """Raises RemoteError where that cannot be told."""

    def attempt(deadline: float) -> bool:
        system, name = file_system(path.url)
        try:
            system.info(name)
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
        about = system.info(name)
        if about.get("size") is None:
            raise RemoteError(f"{path}: the server does not say how long the file is")
        version = next((str(about[key]) for key in _VERSION_NAMES if about.get(key)), "")
        return FileFacts(int(about["size"]), version.strip('"'))

    return patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def has_ranges(path: "RemotePath") -> bool:
    """Whether parts of the file can be asked for, which not all HTTP servers know; raises RemoteError."""

    def attempt(deadline: float) -> bool:
        import fsspec.asyn

        system, name = file_system(path.url)

        async def status() -> int:
            session = await system.set_session()
            headers = {**system.kwargs.get("headers", {}), "Range": "bytes=0-0"}
            async with session.get(system.encode_url(name), headers=headers) as response:  # nothing of it is read
                response.raise_for_status()
                return int(response.status)

        return bool(fsspec.asyn.sync(system.loop, status) == _PARTIAL_CONTENT)

    return not _is_http(path) or patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def read_bytes(path: "RemotePath") -> bytes:
    """Raises RemoteError."""

    def attempt(deadline: float) -> bytes:
        system, name = file_system(path.url)
        content: bytes = system.cat_file(name)
        return content

    return patiently(attempt, name=path, patience=PATIENCE_AT_START, is_said=True)


def read_range(path: "RemotePath", start: int, length: int, *, patience: Patience, deadline: float) -> bytes:
    """`length` bytes from `start` on; raises RemoteError."""

    def attempt(deadline: float) -> bytes:
        system, name = file_system(path.url)
        content = _cat(system, name, start, start + length, deadline)
        if len(content) < length:
            raise ShortReadError(f"{len(content)} of {length} bytes came")
        if len(content) > length:
            raise RemoteError(f"{path}: the server sends the whole file where a part was asked for")
        return content

    return patiently(attempt, name=path, patience=patience, deadline=deadline)


def _cat(system: Any, name: str, start: int, end: int, deadline: float) -> bytes:
    """Part of a file, given up at the deadline: with a server that trickles each byte comes in time."""
    if not system.async_impl:
        content: bytes = system.cat_file(name, start=start, end=end)
        return content
    import fsspec.asyn

    left = max(0.0, deadline - time.monotonic())
    content = fsspec.asyn.sync(system.loop, system._cat_file, name, start=start, end=end, timeout=left)
    return content


def fetch(path: "RemotePath", target: str, *, make_room: Callable[[int], None], patience: Patience) -> None:
    """Write the whole file to `target`, which is there when it ends well.

    Args:
        make_room: is told of so many bytes in all before they are written.
    Raises:
        RemoteError; whatever `make_room` raises; OSError of this machine's disk.
    """

    def attempt(deadline: float) -> None:
        system, name = file_system(path.url)
        progress = _progress(make_room, deadline)
        system.get_file(name, target, callback=progress)
        written = os.path.getsize(target)
        # aiohttp has counted what HTTP announced: of an answer that came compressed that is not the file's length.
        if progress.size not in (None, written) and not _is_http(path):
            raise ShortReadError(f"{written} of {progress.size} bytes came")
        make_room(written)

    patiently(attempt, name=path, patience=patience)


def listed_files(path: "RemotePath") -> list[str]:
    """Names of all files below a remote folder, relative to it; raises RemoteError."""

    def attempt(deadline: float) -> list[str]:
        system, top = file_system(path.url)
        found = [str(name) for name in system.find(top)]
        if not found and not system.exists(top):
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
