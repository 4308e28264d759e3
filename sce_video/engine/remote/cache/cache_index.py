"""Size accounting of a cache folder, and eviction of the least recently used files."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sce_video.engine.remote.cache.locks import delete_unlocked, is_named, locked

# Subfolders for complete and for unfinished files.
FILES, PARTIAL = "files", "partial"
# Eviction frees more than is needed, so that not every new file needs a scan of all files.
_KEPT_SHARE = 0.9


class _State(NamedTuple):
    """`num_bytes` of complete files and reservations (after a crash too many, never too few); `reserved` by name."""

    num_bytes: int
    reserved: dict[str, int]


class _File(NamedTuple):
    last_used: float
    num_bytes: int
    path: Path


class CacheIndex:
    """Size of a cache folder, kept in a file there that one process at a time reads and writes.

    Args:
        limit_bytes: for complete and unfinished files together.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def tidy(self) -> None:
        """Recount, delete unfinished files of dead processes, and evict files above the limit."""
        with self._open() as descriptor:
            _write(descriptor, self._with_room(_read(descriptor), 0))

    def reserve(self, name: str, num_bytes: int) -> bool:
        """Reserve space for a file, evicting the least recently used ones; False if files in use leave too little."""
        with self._open() as descriptor:
            state = _read(descriptor)
            more = num_bytes - state.reserved.get(name, 0)
            if more <= 0:
                return True
            if state.num_bytes + more > self._limit_bytes:
                state = self._with_room(state, more)
            fits = state.num_bytes + more <= self._limit_bytes
            if fits:
                state = _State(state.num_bytes + more, {**state.reserved, name: num_bytes})
            _write(descriptor, state)
            return fits

    def commit(self, name: str, *, partial: Path, final: Path | None) -> None:
        """End a reservation: give the complete file its final name, or (None) give it up."""
        with self._open() as descriptor:
            state = _read(descriptor)
            reserved = dict(state.reserved)
            num_bytes = state.num_bytes - reserved.pop(name, 0)
            if final is not None:
                num_bytes += partial.stat().st_size
                partial.replace(final)
            _write(descriptor, _State(num_bytes, reserved))

    def remove(self, path: Path, opened: int) -> None:
        """Delete a complete file, even one in use, unless it was replaced since it was opened."""
        with self._open() as descriptor:
            if is_named(opened, path):
                path.unlink()
                state = _read(descriptor)
                _write(descriptor, state._replace(num_bytes=state.num_bytes - os.fstat(opened).st_size))

    @contextmanager
    def _open(self) -> Iterator[int]:
        with locked(self._folder / "ledger.json") as descriptor:
            yield descriptor

    def _with_room(self, state: _State, needed: int) -> _State:
        """The state after a recount, deletion of dead processes' unfinished files, and eviction for `needed` bytes."""
        unfinished = {entry.name for entry in os.scandir(self._folder / PARTIAL)}
        dead = {name for name in unfinished if delete_unlocked(self._folder / PARTIAL / name)}
        reserved = {name: size for name, size in state.reserved.items() if name in unfinished - dead}
        files = sorted(_files(self._folder / FILES))
        num_bytes = sum(file.num_bytes for file in files) + sum(reserved.values())
        if num_bytes + needed > self._limit_bytes:
            for file in files:
                if num_bytes + needed <= _KEPT_SHARE * self._limit_bytes:
                    break
                if delete_unlocked(file.path):
                    num_bytes -= file.num_bytes
        return _State(num_bytes, reserved)


def _files(folder: Path) -> Iterator[_File]:
    for sub in os.scandir(folder):
        for entry in os.scandir(sub.path):
            status = entry.stat()
            yield _File(status.st_mtime, status.st_size, Path(entry.path))


def _read(descriptor: int) -> _State:
    """The saved state; an empty or damaged one counts as full, so that the next reservation recounts."""
    try:
        content = json.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
        return _State(int(content["bytes"]), {str(name): int(size) for name, size in content["reserved"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return _State(2**62, {})


def _write(descriptor: int, state: _State) -> None:
    content = json.dumps({"bytes": state.num_bytes, "reserved": state.reserved}).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)
