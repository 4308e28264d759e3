"""Cache folder of local copies: one writer per file, any number of readers, complete files only."""

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sce_video.engine.remote.cache.cache_index import FILES, PARTIAL, CacheIndex
from sce_video.engine.remote.cache.locks import make_shared, open_locked, open_shared
from sce_video.errors import UserError

# Called with the size of a file in bytes before they are written.
MakeRoom = Callable[[int], None]
# (path, make_room): writes the file at this path.
Fill = Callable[[str, MakeRoom], None]

# Time for other processes to close files, if those in use leave no room.
_MAX_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.1
# How often the folder is recreated for one file, if somebody keeps deleting it.
_MOST_DELETIONS = 3


class CacheError(UserError):
    """The cache folder cannot be used; the message says why."""


class TooLargeError(UserError):
    """One file is larger than the limit of the whole cache."""


class HeldFile:
    """A complete file of the cache that is not evicted until closed."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = str(path)
        self.descriptor: int | None = descriptor
        self.num_bytes = os.fstat(descriptor).st_size

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class FileCache:
    """Files by key, at most `limit_bytes` in all; the folder is created on first use.

    File names are hashes of their keys: no text of a list or an archive becomes a path.
    """

    def __init__(self, folder: Path | str, *, limit_bytes: int) -> None:
        folder = Path(folder)
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._index = CacheIndex(folder, limit_bytes=limit_bytes)

    def prepare(self) -> None:
        """Create the folder and count its files; at the start of a run, before the loader processes.

        Raises:
            CacheError: it cannot be created or written.
        """
        with disk_errors(self.folder):
            self._make_folders()
            self._index.tidy()

    def hold(self, key: str, *, suffix: str, fill: Fill) -> HeldFile:
        """The file of that key, written by `fill` if it is missing; close it after use, so that it can be evicted.

        Args:
            suffix: of the local file's name, which decoders look at.
        Raises:
            TooLargeError, CacheError: no room, or the disk is full or fails. Whatever `fill` raises.
        """
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest() + suffix
        final, deletions = self.folder / FILES / name[:2] / name, 0
        with disk_errors(self.folder):
            while True:
                try:
                    held = self._held(name, final, fill)
                except FileNotFoundError:  # somebody has deleted the folder
                    deletions += 1
                    if deletions > _MOST_DELETIONS:
                        raise
                    self._make_folders()
                    continue
                if held is not None:
                    return held

    def drop(self, held: HeldFile) -> None:
        """Close and delete a bad file, so that it is fetched again next time."""
        with closing(held), disk_errors(self.folder):
            if held.descriptor is not None:
                self._index.remove(Path(held.path), held.descriptor)

    def _make_folders(self) -> None:
        for part in (FILES, PARTIAL):
            (self.folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)

    def _held(self, name: str, final: Path, fill: Fill) -> HeldFile | None:
        """The file, cached or new; None as in `_written`."""
        descriptor = open_shared(final)
        if descriptor is None:
            descriptor = self._written(name, final, fill)
        if descriptor is None:
            return None
        os.utime(descriptor)  # the last use; the oldest are evicted first
        return HeldFile(final, descriptor)

    def _written(self, name: str, final: Path, fill: Fill) -> int | None:
        """The new file, open; None if another process has written it meanwhile, or it is already evicted."""
        partial = self.folder / PARTIAL / name
        descriptor = open_locked(partial)
        try:
            if not final.exists():
                final.parent.mkdir(exist_ok=True, mode=0o700)
                self._fill(name, partial, final, descriptor, fill)
                if make_shared(descriptor, final):
                    kept, descriptor = descriptor, -1
                    return kept
            else:
                partial.unlink(missing_ok=True)
            return None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _fill(self, name: str, partial: Path, final: Path, descriptor: int, fill: Fill) -> None:
        try:
            fill(str(partial), lambda num_bytes: self._make_room(name, num_bytes))
            os.fsync(descriptor)
            self._index.commit(name, partial=partial, final=final)
        except BaseException:
            self._index.commit(name, partial=partial, final=None)
            partial.unlink(missing_ok=True)
            raise

    def _make_room(self, name: str, num_bytes: int) -> None:
        if num_bytes > self._limit_bytes:
            raise TooLargeError(
                f"{num_bytes / 1e9:.3g} GB, more than DATA.CACHE_GB {self._limit_bytes / 1e9:g} can hold"
            )
        deadline = time.monotonic() + _MAX_WAIT_SECONDS
        while not self._index.reserve(name, num_bytes):
            if time.monotonic() > deadline:
                raise CacheError(
                    f"DATA.CACHE_GB {self._limit_bytes / 1e9:g} is full of files in use ({self.folder}); raise it"
                )
            time.sleep(_POLL_SECONDS)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError of the local disk into a CacheError."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a remote file's
            raise
        what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
        raise CacheError(f"DATA.CACHE_DIR {folder} cannot be written ({what})") from error


def cache_folder(named: str) -> Path:
    """The folder that DATA.CACHE_DIR names, or by default this user's own below the system's temporary folder.

    Raises:
        CacheError: others can write to it, or it cannot be created.
    """
    return Path(named) if named else own_folder(Path(tempfile.gettempdir()))


def own_folder(temporary: Path) -> Path:
    """This user's folder in a world-writable one, where another user may have created it first.

    Raises:
        CacheError: others can write to it, or it cannot be created.
    """
    folder = temporary / f"sce_video_cache_{os.getuid()}"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheError(f"{folder} can be written by others; give DATA.CACHE_DIR a folder of your own")
    return folder
