"""Progress bars with an ETA; silent off the main process."""

import sys
from typing import Any

from tqdm import tqdm

from sce_video.runtime.distributed import is_main_process


def progress_bar(
    *, total: int, initial: int = 0, description: str, unit: str, delay_seconds: float = 0.0
) -> "tqdm[Any]":
    """A tqdm bar on stderr; one line every half minute where stderr is a file (Slurm, CI).

    Args:
        delay_seconds: what is done by then shows no bar.
    """
    return tqdm(
        total=total,
        initial=initial,
        desc=description,
        unit=unit,
        disable=not is_main_process(),
        delay=delay_seconds,
        mininterval=0.2 if sys.stderr.isatty() else 30.0,
        dynamic_ncols=True,
    )
