"""Checkpoint files: written whole or not at all, the newest readable one wins, the last few are kept."""

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

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
        num_kept: files left after a save, at least 1; the older ones are deleted.
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
        if not is_main_process():
            return
        with atomic_path(self.path(step)) as partial:
            torch.save({"step": step, **state}, partial)
        for old in self.steps()[: -self.num_kept]:
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


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint file to the CPU without unpickling code.

    Raises:
        CheckpointError: missing, damaged, or holding more than tensors and plain types.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch does not check the checksums itself
        if damaged:
            raise CheckpointError(f"checkpoint {path} is damaged (checksum of {damaged} is wrong)")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"checkpoint {path} cannot be read ({reason})") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"checkpoint {path} holds a {type(state).__name__}; a dict was expected")
    return state
