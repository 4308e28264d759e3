"""Atomic writing of files."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sce_video.engine.cluster.run_lock import require_run_lock, run_lock_suffix


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, synced and renamed to it if the block ends without an error.

    The temporary name has the suffix of this run's lock, if it holds one: a process that takes over the lock deletes
    the file (`engine.cluster.run_lock`). Without a lock the name is fixed, so the next attempt overwrites what a kill
    leaves behind.

    Raises:
        InUseError: another process has taken over the folder of this one; `path` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}{run_lock_suffix()}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        require_run_lock()
        try:
            partial.replace(path)
        except FileNotFoundError:
            require_run_lock()  # taken over between these two lines
            raise
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")
