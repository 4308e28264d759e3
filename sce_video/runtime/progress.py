"""Progress bars with an ETA; silent off the main process."""

import sys
from typing import Any

from tqdm import tqdm

from sce_video.runtime.distributed import is_main_process


def progress_bar(*, total: int, initial: int = 0, description: str, unit: str) -> "tqdm[Any]":
    """A tqdm bar on stderr; one line every half minute where stderr is a file (Slurm, CI)."""
    return tqdm(
        total=total,
        initial=initial,
        desc=description,
        unit=unit,
        disable=not is_main_process(),
        mininterval=0.2 if sys.stderr.isatty() else 30.0,
        dynamic_ncols=True,
    )
