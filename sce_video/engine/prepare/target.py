"""Content of an output folder: outputs of this program, and foreign files, which are never overwritten or deleted."""

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sce_video.clips.decoders.images import FRAMES_FILE
from sce_video.engine.prepare.actions import PrepareError
from sce_video.special_files import refuse_special_file

_JPEG_NAME = re.compile(r"[0-9]{6,}\.jpg")
_CHUNK_BYTES = 1 << 20


class Written(NamedTuple):
    """Properties of a written output: a file, or a folder of `num_frames` frames."""

    bytes: int
    sha256: str
    num_frames: int


class TakenError(Exception):
    """A foreign file has the name of an output; the message names it, relative to the output folder."""


class Target:
    """Snapshot of an output folder; each subfolder is listed once.

    Args:
        written: output -> what this and earlier runs wrote there.
    """

    def __init__(self, output_dir: Path, written: Mapping[str, Collection[Written]]) -> None:
        self._output_dir = output_dir
        self._written = written
        self._listed = cache(self._list)

    def is_free(self, name: str) -> bool:
        """Whether an output may have this name: nothing is there, or an earlier output."""
        folder, _, own = name.rpartition("/")
        return own not in self._listed(folder) or _is_own(self._output_dir / name, self._written.get(name, ()))

    def blocked(self, folder: str) -> str | None:
        """Why outputs cannot be put into this folder; None if it exists or can be created."""
        return blocked_by(self._output_dir, folder)

    def _list(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(self._output_dir / folder))
        except OSError:  # missing, or `blocked`
            return frozenset()


def blocked_by(output_dir: Path, folder: str) -> str | None:
    """Message on the first part of a relative path that exists but is not a plain folder; None if there is none."""
    path = output_dir
    for part in PurePosixPath(folder).parts:
        path = path / part
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{path.relative_to(output_dir)} cannot be used ({error.strerror})"
        if not stat.S_ISDIR(mode):
            return f"{path.relative_to(output_dir)} is {'a link' if stat.S_ISLNK(mode) else 'not a folder'}"
    return None


def is_as_written(path: Path, written: Written) -> bool:
    """Whether a file has its recorded size, or a folder its number of frames; contents are not read."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):  # a folder is published complete: counting is enough
            return len(os.listdir(path)) == written.num_frames + 1
        return stat.S_ISREG(mode) and path.stat().st_size == written.bytes
    except OSError:
        return False


def _is_own(path: Path, written: Collection[Written]) -> bool:
    """Whether this program wrote the path: a file of a recorded size, or a folder that holds nothing but frames."""
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            return any(status.st_size == each.bytes for each in written)
        return bool(written) and stat.S_ISDIR(status.st_mode) and _holds_frames_alone(path)
    except OSError:
        return False


def _holds_frames_alone(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return all(
            (entry.name == FRAMES_FILE or _JPEG_NAME.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False)
            for entry in entries
        )


def require_free_name(output_dir: Path, name: str, written: Collection[Written]) -> None:
    """Check, just before an output is published, that its name is still free.

    Args:
        written: earlier outputs of this name.
    Raises:
        TakenError: something foreign has this name, or that of a folder above.
    """
    blocker = blocked_by(output_dir, str(PurePosixPath(name).parent))
    if blocker is not None:
        raise TakenError(f"{blocker} in the output folder")
    path = output_dir / name
    if not os.path.lexists(path):
        return
    is_own = _is_own(path, written)
    if is_own and path.is_file():
        is_own = sha256_of(path) in {each.sha256 for each in written}
    if not is_own:
        raise TakenError(f"{name} in the output folder was not written by this program")


def publish(partial: Path, output_dir: Path, name: str) -> None:
    """Move a finished output to its name, replacing an older one; call `require_free_name` first.

    Raises:
        OSError: this is not possible.
    """
    output = output_dir / name
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.is_dir():
        older = partial.with_name("replaced")
        os.replace(output, older)
        os.replace(partial, output)
        shutil.rmtree(older, ignore_errors=True)
    else:
        os.replace(partial, output)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex; raises OSError, also for a path that is not a regular file."""
    refuse_special_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def require_plain_state_files(state_dir: Path) -> None:
    """Refuse state files that are links or special files: writing to them would change other files, or hang.

    Raises:
        PrepareError: there is one.
    """
    if not os.path.lexists(state_dir):
        return
    if state_dir.is_symlink() or not state_dir.is_dir():
        raise PrepareError(f"{state_dir} is not a plain folder; move it away, or give a new output folder")
    with os.scandir(state_dir) as entries:
        for entry in entries:
            is_expected = entry.name == "lock" or entry.name.endswith((".json", ".jsonl", ".partial"))
            if (
                entry.is_symlink()
                or (is_expected and not entry.is_file())
                or (entry.name == "partial" and entry.is_file())
            ):
                kind = "a link" if entry.is_symlink() else "not a file or folder as expected"
                raise PrepareError(f"{entry.path} is {kind} and will not be written to; move it away")
