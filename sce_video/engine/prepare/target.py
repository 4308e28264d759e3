"""What stands in an output folder: what this program wrote, and what is foreign and never overwritten or deleted."""

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
from sce_video.engine.prepare.settings import PrepareError
from sce_video.special_files import refuse_special_file

_JPEG_NAME = re.compile(r"[0-9]{6,}\.jpg")
_CHUNK_BYTES = 1 << 20


class Written(NamedTuple):
    """Facts of an output that was written: a file, or a folder of that many frames."""

    bytes: int
    sha256: str
    num_frames: int


class TakenError(Exception):
    """Something foreign has the name of an output; the message says what, relative to the output folder."""


class Target:
    """An output folder as it stood when it was first looked at.

    Args:
        written: output -> what was written there by this and earlier runs.
    """

    def __init__(self, output_dir: Path, written: Mapping[str, Collection[Written]]) -> None:
        self._output_dir = output_dir
        self._written = written
        self._listed = cache(self._list)

    def is_free(self, name: str) -> bool:
        """Whether an output may get this name: nothing is there, or what was written there before."""
        folder, _, own = name.rpartition("/")
        return own not in self._listed(folder) or _is_own(self._output_dir / name, self._written.get(name, ()))

    def blocked(self, folder: str) -> str | None:
        """Why nothing can be put into this folder; None if it is one, or can be made."""
        return blocked_by(self._output_dir, folder)

    def _list(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(self._output_dir / folder))
        except OSError:  # not there yet, or `blocked`
            return frozenset()


def blocked_by(output_dir: Path, folder: str) -> str | None:
    """The first part of a relative path that is there and is not a plain folder, in words."""
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
            return f"{path.relative_to(output_dir)} is {'a link' if stat.S_ISLNK(mode) else 'no folder'}"
    return None


def is_as_written(path: Path, written: Written) -> bool:
    """Whether a file has its size, a folder all of its frames; contents are not read."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):  # a folder gets its name when it is whole: counting is enough
            return len(os.listdir(path)) == written.num_frames + 1
        return stat.S_ISREG(mode) and path.stat().st_size == written.bytes
    except OSError:
        return False


def _is_own(path: Path, written: Collection[Written]) -> bool:
    """Whether what is there was written by this program: by its size, or as a folder that holds nothing else."""
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
    """Look once more, just before an output gets its name.

    Args:
        written: what was written under this name before.
    Raises:
        TakenError: something foreign is there, or in the way to it.
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
        raise TakenError(f"{name} in the output folder holds something that was not written by this program")


def publish(partial: Path, output_dir: Path, name: str) -> None:
    """Give a finished output its name, instead of an older one; `require_free_name` comes first.

    Raises:
        OSError: it cannot have it.
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
    """Raises OSError, also for what is no file."""
    refuse_special_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def require_plain_notes(notes_dir: Path) -> None:
    """Refuse notes that are links or no files: what is written to them would land elsewhere, or never end.

    Raises:
        PrepareError: one is.
    """
    if not os.path.lexists(notes_dir):
        return
    if notes_dir.is_symlink() or not notes_dir.is_dir():
        raise PrepareError(f"{notes_dir} is no folder of its own; move it away, or give a new output folder")
    with os.scandir(notes_dir) as entries:
        for entry in entries:
            is_note = entry.name == "lock" or entry.name.endswith((".json", ".jsonl", ".partial"))
            if entry.is_symlink() or (is_note and not entry.is_file()) or (entry.name == "partial" and entry.is_file()):
                kind = "a link" if entry.is_symlink() else "of another kind"
                raise PrepareError(f"{entry.path} is {kind}; nothing is written to it: move it away")
