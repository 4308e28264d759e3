"""Damaged files: correct frames or a one-line error that names the file, never a wrong frame, a crash or a hang.

    python benchmarks/damage.py [--num 1000] [--seed 0] [--quick] [--json FILE] [--decoders pyav,decord] [--keep DIR]

Damaged copies (see corpus.py) of real files, originals and outputs of tools/prepare_data.py, and all odd files of the
shared data. Each is read as in pretraining, two clips in one call, in a process that may die. `right` equals a
sequential decode (within 8 levels for decoders other than PyAV, whose FFmpeg differs) or the undamaged file: libavcodec
can spoil an intact group of pictures after a damaged one. `needless` were refused although a sequential decode reads
all frames; `undefined` differ from a sequential decode where sequential decodes differ among themselves. For
pytorchvideo only whether it reads the file is recorded. Linux only.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from corpus import Damaged, find_sources, write_damaged
from harness import Row, new_parser, publish, use_cores
from verdict import PEER, Trial, Verdict, judge
from videos import encode_all, find_videos

from sce_video.clips.decoders import DECODERS, decoder_version
from sce_video.engine.pool.isolated import Lost, run_isolated
from sce_video.errors import UserError
from sce_video.launch.program import exit_code_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OUTCOMES = ("right", "read", "refused", "needless", "undefined", "wrong", "died", "hung")
BAD = ("wrong", "died", "hung")
TIMEOUT_SECONDS = 120.0  # a hang never ends; on a busy machine a file may take ten times its usual second
NUM_JHMDB_PER_PREPARED = 15
MEMORY_BYTES = 6 * 2**30


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the shared data")
    parser.add_argument("--num", type=int, default=1000, help="damaged files; with --quick 100")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decoders", default=",".join([*DECODERS, PEER]), help="comma-separated; default: all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files that gave wrong frames, died or hung")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    use_cores(1)
    num_files = 100 if arguments.quick else arguments.num
    rows: list[Row] = []
    for decoder in decoders_that_load(arguments.decoders.split(",")):
        verdicts = list(judged(decoder, arguments.data, num_files=num_files, seed=arguments.seed, keep=arguments.keep))
        rows += rows_of(decoder, verdicts)
    publish(rows=rows, ratios=ratios_of(rows), json_file=arguments.json)


def decoders_that_load(names: list[str]) -> list[str]:
    """The decoders that can be loaded; prints a line for each that cannot.

    Raises:
        UserError: no decoder of that name.
    """
    useful = []
    for name in names:
        if name not in (*DECODERS, PEER):
            raise UserError(f"--decoders has {name!r}; choose from {', '.join([*DECODERS, PEER])}")
        try:
            useful.append(name)
            print(f"{name} {decoder_version(name) if name in DECODERS else ''}", file=sys.stderr)
        except UserError as error:
            useful.pop()
            print(f"left out: {error}", file=sys.stderr)
    return useful


def judged(
    decoder: str, data: Path, *, num_files: int, seed: int, keep: Path | None
) -> Iterator[tuple[Trial, Verdict]]:
    """A verdict on every file; what is wrong is named as it is found."""
    with tempfile.TemporaryDirectory() as folder:
        trials = all_trials(decoder, data, Path(folder), num_files=num_files, seed=seed)
        judgements = run_isolated(
            judge, trials, num_workers=1, timeout_seconds=TIMEOUT_SECONDS, memory_bytes=MEMORY_BYTES
        )
        for trial, outcome in judgements:
            verdict = lost(outcome) if isinstance(outcome, Lost) else outcome
            if verdict.outcome in BAD:
                print(f"{decoder}: {verdict.outcome}: {trial.path.name} ({trial.recipe}): {verdict.detail}", flush=True)
                if keep is not None:
                    keep_file(trial.path, keep)
            if trial.path.is_relative_to(folder):
                remove(trial.path)
            yield trial, verdict


def all_trials(decoder: str, data: Path, folder: Path, *, num_files: int, seed: int) -> Iterator[Trial]:
    """The trials of a decoder; each damaged file is written when its trial is requested."""
    found, videos = find_sources(data), find_videos(data / "jhmdb", num_videos=None)[::NUM_JHMDB_PER_PREPARED]
    sources = [*found, *encode_all(videos, folder / "prepared", name="gop4")]
    for number in range(num_files):
        made = write_damaged(folder, sources, seed=seed, number=number)
        yield Trial(decoder, number, *made)
    for number, path in enumerate(sorted((data / "odd").glob("*"))):
        if path.suffix != ".tsv":
            yield Trial(decoder, number, *Damaged(path, "as_found", "as found"))


def lost(outcome: Lost) -> Verdict:
    is_late = "longer" in outcome.reason
    return Verdict("hung" if is_late else "died", outcome.reason, TIMEOUT_SECONDS if is_late else 0.0, 0.0)


def keep_file(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        shutil.copy(path, folder / path.name)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def rows_of(decoder: str, verdicts: list[tuple[Trial, Verdict]]) -> list[Row]:
    """One row per kind of damage and one for all."""
    kinds = [*dict.fromkeys(trial.kind for trial, _ in verdicts), "all"]
    rows: list[Row] = []
    for kind in kinds:
        mine = [(trial, verdict) for trial, verdict in verdicts if kind in (trial.kind, "all")]
        counts = Counter(verdict.outcome for _, verdict in mine)
        row: Row = {"decoder": decoder, "damage": kind, "tried": len(mine)}
        row |= {outcome: counts[outcome] for outcome in OUTCOMES}
        seconds = [verdict.seconds for _, verdict in mine]
        row |= {"median_ms": 1000 * median(seconds), "slowest_s": max(seconds)}
        row["most_mib"] = max(verdict.mib for _, verdict in mine)
        row["bad"] = [f"{t.path.name} ({t.recipe}): {v.outcome}: {v.detail}" for t, v in mine if v.outcome in BAD]
        rows.append(row)
    return rows


def ratios_of(rows: list[Row]) -> dict[str, float]:
    """Share of the files without a wrong frame, crash or hang: pyav's against that of each other decoder."""
    totals = {str(row["decoder"]): row for row in rows if row["damage"] == "all"}
    well = {name: 1 - sum(int(str(row[bad])) for bad in BAD) / int(str(row["tried"])) for name, row in totals.items()}
    return {f"pyav_vs_{name}": well["pyav"] / well[name] for name in well if name != "pyav" and "pyav" in well}


if __name__ == "__main__":
    sys.exit(main())
