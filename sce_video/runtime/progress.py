"""Progress bars with an ETA; silent off the main process."""

import sys

from tqdm import tqdm

from sce_video.engine.cluster.collectives import is_main_process

# What a terminal of 80 columns cuts off comes last.
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
    """A tqdm bar on stderr; one line every half minute where stderr is a file (Slurm, CI). No bar of nothing to do.

    Args:
        delay_seconds: what is done by then shows no bar.
        has_own_speed: what is set as postfix says how fast it goes, better than units per second do.
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
