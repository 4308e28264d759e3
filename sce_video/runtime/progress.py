"""Progress bars with an ETA; silent off the main process."""

import sys

from tqdm import tqdm

from sce_video.engine.cluster.collectives import is_main_process

# What a terminal of 80 columns may cut off comes last.
_FORMAT = "{desc} {n_fmt}/{total_fmt}{postfix} |{bar}| {elapsed}<{remaining}"


def progress_bar(
    *,
    total: int,
    initial: int = 0,
    description: str,
    unit: str,
    delay_seconds: float = 0.0,
    has_own_speed: bool = False,
) -> tqdm:
    """A tqdm bar on stderr, with a line every 30 s if that is a file (Slurm, CI); no bar if there is nothing to do.

    Args:
        delay_seconds: no bar for work that takes less.
        has_own_speed: the postfix has the speed, so units per second are not shown.
    """
    return tqdm(
        total=total,
        initial=initial,
        desc=description,
        unit=unit,
        disable=not is_main_process() or initial >= total,
        delay=delay_seconds,
        mininterval=0.2 if sys.stderr.isatty() else 30.0,
        dynamic_ncols=True,
        bar_format=_FORMAT if has_own_speed else f"{_FORMAT}, {{rate_fmt}}",
    )
