"""Checkpoint files: written whole or not at all, the newest readable one wins, the last few are kept."""

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from sce_video.errors import CheckpointError
from sce_video.runtime.distributed import is_main_process
from sce_video.runtime.files import atomic_path
from sce_video.runtime.logging import LOGGER

_NAME = re.compile(r"step_(\d+)\.pt")


class CheckpointFolder:
    """`step_XXXXXXXX.pt` files in one folder.

    A checkpoint is a dict of tensors and plain types, so it loads with `weights_only=True`.

    Args:
        folder: made on the first save.
        num_kept: files left after a save, at least 1: the one saved and those just before it.
    """

    def __init__(self, folder: Path, *, num_kept: int) -> None:
        if num_kept < 1:
            raise ValueError(f"num_kept is {num_kept}; it must be at least 1")
        self.folder = folder
        self.num_kept = num_kept

    def steps(self) -> list[int]:
        """Steps that have a file, oldest first."""
        names = [_NAME.fullmatch(path.name) for path in self.folder.glob("step_*.pt")]
        return sorted(int(name.group(1)) for name in names if name)

    def path(self, step: int) -> Path:
        return self.folder / f"step_{step:08d}.pt"

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a checkpoint, on the main process.

        Raises:
            OSError: the disk is full or cannot be written; older checkpoints are as they were.
        """
        if not is_main_process():
            return
        with atomic_path(self.path(step)) as partial, partial.open("wb") as file:
            _write({"step": step, **state}, file)
        done = [known for known in self.steps() if known <= step]  # a later file is a damaged one that was passed over
        for old in done[: -self.num_kept]:
            self.path(old).unlink(missing_ok=True)

    def load_newest(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be read, on the CPU; None if there is none.

        Raises:
            CheckpointError: there are checkpoint files, but none can be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return load_checkpoint(self.path(step))
            except CheckpointError as error:
                LOGGER.warning("%s; trying the one before it", error)
        if steps:
            raise CheckpointError(
                f"none of the {len(steps)} checkpoints in {self.folder} can be read; delete the folder to start anew"
            )
        return None


def _write(state: dict[str, Any], file: BinaryIO) -> None:
    """torch.save, whose own words for a full disk are `unexpected pos 704 vs 598`."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def newest_below(folder: Path) -> str:
    """The checkpoint file that was written last, of this folder or those in it; "" if there is none."""
    files = sorted(folder.rglob("step_*.pt"), key=lambda path: path.stat().st_mtime_ns)
    return str(files[-1].relative_to(folder)) if files else ""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint file to the CPU without unpickling code.

    Raises:
        CheckpointError: missing, damaged, or holding more than tensors and plain types.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} does not exist")
    try:
        _check_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"checkpoint {path} holds more than tensors and plain types; it is not loaded, since that could run code"
        ) from error
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"checkpoint {path} cannot be read ({reason})") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"checkpoint {path} holds a {type(state).__name__}; a dict was expected")
    return state


def _check_archive(path: Path) -> None:
    """Compare headers and checksums, which torch.load does not: it fills tensors with whatever is there."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():  # as torch writes every one: not compressed, an ordinary file
            if (entry.compress_type, entry.compress_size, entry.external_attr) != (0, entry.file_size, 0):
                raise zipfile.BadZipFile(f"wrong header of {entry.filename}")
        damaged = archive.testzip()
    if damaged:
        raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
