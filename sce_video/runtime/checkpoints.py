"""Checkpoint files: atomic writes, loading of the newest readable one, deletion of old ones."""

import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from sce_video.engine.cluster.collectives import is_main_process
from sce_video.errors import CheckpointError, reason_of
from sce_video.runtime.archives import require_plain_archive
from sce_video.runtime.files import atomic_path
from sce_video.runtime.logging import LOGGER

_NAME = re.compile(r"step_([0-9]+)\.pt")


class DamagedError(CheckpointError):
    """A checkpoint is truncated, corrupted, has unexpected types or non-finite weights.

    The one before it may be usable.
    """


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
            OSError: the disk is full or cannot be written; older checkpoints are unchanged.
        """
        if not is_main_process():
            return
        with atomic_path(self.path(step)) as partial, partial.open("wb") as file:
            _write({"step": step, **state}, file)
        done = [known for known in self.steps() if known <= step]  # a later file is damaged and was skipped
        for old in done[: -self.num_kept]:
            self.path(old).unlink(missing_ok=True)

    def load_newest(self, *, use: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any] | None:
        """The newest checkpoint that can be read and used, on the CPU; None if there is none.

        Args:
            use: called with the checkpoint; if it raises DamagedError, the one before is tried.
        Raises:
            CheckpointError: there are checkpoint files, but none can be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                state = load_checkpoint(self.path(step))
                if type(state.get("step")) is not int or state["step"] != step:
                    raise DamagedError(f"checkpoint {self.path(step)} is of step {state.get('step')!r:.20}")
                if use is not None:
                    use(state)
            except DamagedError as error:
                LOGGER.warning("%s; trying the one before it", error)
            else:
                return state
        if steps:
            raise CheckpointError(
                f"none of the {len(steps)} checkpoints in {self.folder} can be read; delete the folder to start over"
            )
        return None


def _write(state: dict[str, Any], file: BinaryIO) -> None:
    """torch.save, but a full disk is an OSError instead of a RuntimeError `unexpected pos 704 vs 598`."""
    try:
        torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def newest_below(folder: Path) -> str:
    """Relative path of the most recently written checkpoint below a folder; "" if there is none."""
    files = sorted(folder.rglob("step_*.pt"), key=lambda path: path.stat().st_mtime_ns)
    return str(files[-1].relative_to(folder)) if files else ""


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint file to the CPU without unpickling code.

    Raises:
        DamagedError: it is missing, damaged, or has other objects than tensors and plain types.
    """
    if not path.is_file():
        raise DamagedError(f"checkpoint {path} does not exist")
    try:
        require_plain_archive(path, file_attributes=0)
        state = torch.load(path, map_location="cpu", weights_only=True)
        _require_sound(state, most_bytes=path.stat().st_size)
    except pickle.UnpicklingError as error:
        raise DamagedError(
            f"checkpoint {path} holds more than tensors and plain types; it is not loaded, since that could run code"
        ) from error
    except Exception as error:  # zipfile, pickle and torch may raise anything for a damaged file
        raise DamagedError(f"checkpoint {path} cannot be read ({reason_of(error)})") from error
    checked: dict[str, Any] = state
    return checked


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError for a value that is not a tensor of real and finite numbers."""
    for name, value in tensors.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f"{name!r:.80} is not a named tensor")
        if value.is_complex() or not torch.isfinite(value).all():
            raise ValueError(f"{name:.80} holds values that are not real and finite; was it saved by a diverged run?")


def _require_sound(state: Any, *, most_bytes: int) -> None:
    """Raises ValueError for content that no run has saved."""
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}; a dict was expected")
    for tensor in _tensors(state):
        # A few bytes can be expanded to a tensor of any size.
        if tensor.layout != torch.strided or tensor.numel() * tensor.element_size() > most_bytes:
            raise ValueError(f"a tensor of shape {tuple(tensor.shape)} is not stored in full")
    if "model" in state:
        require_finite(state["model"])


def _tensors(state: Any) -> Iterator[Tensor]:
    waiting, seen = [state], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:  # one list can occur many times
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, dict) else value)
