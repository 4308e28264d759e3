"""Memory of one process over thousands of openings, per decoder: does it keep growing?

    python benchmarks/memory.py [FOLDER] [--quick] [--json FILE]

Each decoder, and pytorchvideo, torchcodec and decord, opens one video after another in its own process and reads two
clips of each, as a loader process does. `kib_per_opening` is the slope of the resident memory after the first tenth of
the openings, in which pools and caches fill up. Linux only.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from harness import Row, new_parser, publish, use_cores
from peers import FAILURES, all_readers, readers_that_load
from videos import ORIGINALS, Wanted, find_videos, wanted_frames

from sce_video.errors import UserError
from sce_video.launch.program import exit_code_of

DEFAULT = "ours pyav"
FOLDER = ORIGINALS.parents[1] / "jhmdb" / "videos"
NUM_FILES = 200
STATUS = Path("/proc/self/statm")
BARS = "▁▂▃▄▅▆▇█"


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="videos, searched recursively")
    parser.add_argument("--openings", type=int, help="per decoder; 5000, with --quick 300")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    if not STATUS.exists():
        raise UserError(f"{STATUS} does not exist; this benchmark needs Linux")
    default, every = (300, 20) if arguments.quick else (5000, 100)
    num_openings = arguments.openings or default
    videos = find_videos(arguments.folder, num_videos=None)
    use_cores(1)
    wanted = wanted_frames(videos[:: max(1, len(videos) // NUM_FILES)][:NUM_FILES], seed=0)
    rows: list[Row] = []
    for name in all_readers():
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:  # forked like loader processes
            row = pool.submit(measure, name, wanted, num_openings=num_openings, every=every).result()
        rows += [] if row is None else [row]
        print(f"{name}: done", file=sys.stderr)
    publish(rows=rows, ratios=ratios_of(rows), json_file=arguments.json)


def ratios_of(rows: Sequence[Row]) -> dict[str, float]:
    """Resident memory at the end, relative to that of our default."""
    last = {str(row["decoder"]): float(str(row["last_mib"])) for row in rows}
    peers = [name for name in last if not name.startswith("ours")]
    return {f"default_vs_{peer.replace(' ', '_')}": last[peer] / last[DEFAULT] for peer in peers}


def measure(name: str, wanted: Sequence[Wanted], *, num_openings: int, every: int) -> Row | None:
    """The row of one decoder; None if it cannot be loaded or cannot read the first video."""
    reader = readers_that_load(wanted[:1], names=[name]).get(name)
    if reader is None:
        return None
    resident: list[float] = []
    num_failed = 0
    for opening, video in enumerate(islice(cycle(wanted), num_openings), start=1):
        try:
            num_failed += sum(1 for _ in reader([video])) == 0  # pytorchvideo skips what it cannot read
        except FAILURES:
            num_failed += 1
        if opening % every == 0:
            resident.append(resident_mib())
    return {"decoder": name, "openings": num_openings, "failed": num_failed, **growth(resident, every=every)}


def resident_mib() -> float:
    return int(STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth(resident: Sequence[float], *, every: int) -> Row:
    """Least-squares slope after the first tenth, first and last value, and all values as a row of bars."""
    settled = resident[len(resident) // 10 :]
    slope = float(np.polyfit(np.arange(len(settled)) * every, settled, 1)[0]) if len(settled) > 1 else 0.0
    return {
        "kib_per_opening": 1024 * slope,
        "first_mib": resident[0],
        "last_mib": resident[-1],
        "curve": bars(resident),
        "resident_mib": [round(value, 1) for value in resident],
    }


def bars(values: Sequence[float], *, width: int = 25) -> str:
    """A sparkline from the smallest to the largest value; differences below 5 % are drawn flat."""
    low, high = min(values), max(max(values), 1.05 * min(values))
    picked = [values[column * len(values) // width] for column in range(width)] if len(values) > width else values
    return "".join(BARS[int((value - low) / (high - low) * (len(BARS) - 1))] for value in picked)


if __name__ == "__main__":
    sys.exit(main())
