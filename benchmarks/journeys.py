"""How much code a reader has to follow: files and calls of three journeys, imports of the entry, lines, repetition.

    python benchmarks/journeys.py [--against PATH]      # PATH: another checkout, such as an older commit's

A journey is a run of `tools/run_net.py` on synthetic videos in one process. It counts every call of the package's
functions (each resumption of a generator, no comprehensions) below the calls in `JOURNEYS`. For a video the second one
is traced: what the first one sets up once per process, such as the ranges of draws, is left out.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import FrameType

import av
import code_shape
import numpy as np
from code_shape import PACKAGE
from harness import Row, new_parser, publish

from sce_video.errors import UserError
from sce_video.launch.program import exit_code_of

REPOSITORY = Path(__file__).resolve().parents[1]
# Name -> the task, and the functions below which calls are counted, with the number of the call (1 is the first).
JOURNEYS = {
    "line of a list -> two uint8 clips": ("pretrain", {"read_list": 1, "load": 2}),
    "one training step": ("pretrain", {"pretrain_step": 1}),
    "one kNN evaluation": ("knn", {"run_task": 1}),
}
ENTRIES = ("tools/run_net.py", f"{PACKAGE}/tasks/pretrain.py", f"{PACKAGE}/build/pretrain.py")
# Some settings, and some names that settings choose from.
WORDS = (
    *("METHOD.TEMPERATURE", "AUG.CROP", "CLIP.SIZE_PIXELS", "METHOD.NAME", "EVAL.KNN_NUM_NEIGHBORS"),
    *("byol", "s3d", "ucf101", "knn"),
)
_COMMON = (
    "DATA.ROOT . DATA.TRAIN train.txt DATA.NUM_WORKERS 0 RUN.DEVICE cpu CLIP.SECONDS 0.5 CLIP.NUM_FRAMES 8 "
    "MODEL.BACKBONE r2plus1d_mini"
)
_OF_TASK = {
    "pretrain": "CLIP.SIZE_PIXELS 32 TRAIN.PRECISION fp32 TRAIN.GLOBAL_BATCH_SIZE 2 TRAIN.NUM_EPOCHS 1 "
    "OPTIM.WARMUP_EPOCHS 0 MODEL.PROJECTOR_DIMS 32,16 METHOD.QUEUE_LENGTH 16 AUG.BLUR_KERNEL_PIXELS 5",
    "knn": "DATA.TEST test.txt EVAL.SIZE_PIXELS 32 EVAL.NUM_CLIPS 1 EVAL.NUM_CROPS 1 EVAL.KNN_NUM_NEIGHBORS 1",
}


class Tracer:
    """Profile function for `sys.setprofile`: records the package's files in the order of calls.

    Args:
        below: function -> number of its call (1 is the first); only these calls and what they call are recorded.
    """

    def __init__(self, package: Path, below: Mapping[str, int]) -> None:
        self.files: list[str] = []
        self.awaited = dict(below)
        self._prefix = f"{package}{os.sep}"
        self._outermost: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame is self._outermost:
            self._outermost = None
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if event != "call" or not file.startswith(self._prefix):
            return
        if self._outermost is None and name in self.awaited:
            self.awaited[name] -= 1
            if self.awaited[name] == 0:
                self._outermost = frame
                del self.awaited[name]
        # Python 3.12 and later have no frame for a comprehension.
        if self._outermost is not None and name not in ("<listcomp>", "<setcomp>", "<dictcomp>"):
            self.files.append(file)


def journey(root: Path, folder: Path, task: str, below: Mapping[str, int]) -> list[str]:
    """The files of a journey, see `Tracer.files`.

    Args:
        root: the checkout; this process must not have imported another one.
        folder: written by `write_videos`.
    """
    tracer = Tracer(root / PACKAGE, below)
    settings = f"TASK {task} RUN.OUTPUT_DIR {'_'.join([task, *below])} {_COMMON} {_OF_TASK[task]}"
    sys.argv = ["run_net.py", "--cfg", "empty.yaml", *settings.split()]
    os.chdir(folder)
    sys.setprofile(tracer)
    try:
        runpy.run_path(str(root / "tools/run_net.py"), run_name="__main__")
    except SystemExit as end:
        if end.code or tracer.awaited:
            raise RuntimeError(f"{task} ended with {end.code}; not called: {', '.join(tracer.awaited)}") from end
    finally:
        sys.setprofile(None)
    return tracer.files


def write_videos(folder: Path) -> None:
    """Write two training videos and a test video of 2 s of noise, their lists, and an empty config."""
    (folder / "empty.yaml").write_text("{}\n")
    for part, count in {"train": 2, "test": 1}.items():
        (folder / f"{part}.txt").write_text("".join(f"{part}_{index}.mp4 {index}\n" for index in range(count)))
        for index in range(count):
            frames = np.random.default_rng(index).integers(0, 256, (32, 64, 64, 3), dtype=np.uint8)
            with av.open(str(folder / f"{part}_{index}.mp4"), "w") as container:
                stream = container.add_stream("libx264", rate=16, options={"g": "8"})
                stream.height = stream.width = 64
                for frame in frames:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
                container.mux(stream.encode())


def measured(root: Path) -> list[Row]:
    """Rows with "part", "what" and "count"; call this once per process."""
    parts: dict[str, dict[str, int]] = {"lines of a room": code_shape.lines_per_room(root)}
    with tempfile.TemporaryDirectory() as folder:
        write_videos(Path(folder))
        for name, (task, below) in JOURNEYS.items():
            files = journey(root, Path(folder), task, below)
            changes = sum(one != other for one, other in pairwise(files))
            parts[name] = {"files": len(set(files)), "changes of file": changes, "calls": len(files)}
        os.chdir(root)
    entries = [entry for entry in (root / name for name in ENTRIES) if entry.exists()]
    parts["files imported by"] = {entry.name: len(code_shape.import_closure(root, entry)) for entry in entries}
    trees = code_shape.parsed_files(root)
    parts["files that write"] = {word: code_shape.num_files_that_write(word, trees) for word in WORDS}
    rows: list[Row] = [
        {"part": part, "what": what, "count": count} for part, counts in parts.items() for what, count in counts.items()
    ]
    longest = {"function": code_shape.longest_function(trees), "file": code_shape.longest_file(trees)}
    rows += [{"part": "longest", "what": what, "count": count, "name": name} for what, (count, name) in longest.items()]
    what = f"lines, {code_shape.REPEATED_LINES} or more in a row"
    return [*rows, {"part": "repeated", "what": what, "count": code_shape.num_repeated_lines(trees)}]


def measured_apart(root: Path) -> list[Row]:
    """`measured`, in a process that imports only this checkout."""
    root = root.resolve()
    if not (root / PACKAGE).is_dir():
        raise UserError(f"{root} is not a checkout: it has no folder {PACKAGE}")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows.json")
        command = [sys.executable, __file__, "--root", str(root), "--rows", str(rows)]
        ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True)
        if ended.returncode:
            raise UserError(f"{root}: {ended.stderr.strip().splitlines()[-1]}")
        found: list[Row] = json.loads(rows.read_text())
        return found


def beside(here: Sequence[Row], there: Sequence[Row]) -> tuple[list[Row], dict[str, float]]:
    """Rows of both checkouts, the other one's count as "against", and the journeys' ratios, theirs to ours."""
    others = {(row["part"], row["what"]): row["count"] for row in there}
    rows: list[Row] = [{**row, "against": others.pop((row["part"], row["what"]), None)} for row in here]
    rows += [{"part": part, "what": what, "count": None, "against": count} for (part, what), count in others.items()]
    pairs = {f"{row['part']}: {row['what']}": (row["count"], row["against"]) for row in rows if row["part"] in JOURNEYS}
    ratios = {
        name: theirs / ours
        for name, (ours, theirs) in pairs.items()
        if isinstance(ours, int) and isinstance(theirs, int)
    }
    return rows, ratios


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="the checkout; default: this one")
    parser.add_argument("--against", type=Path, metavar="PATH", help="another checkout, such as an older commit's")
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    if arguments.rows is not None:
        arguments.rows.write_text(json.dumps(measured(arguments.root)))
        return
    rows = measured_apart(arguments.root)
    ratios: dict[str, float] = {}
    if arguments.against is not None:
        rows, ratios = beside(rows, measured_apart(arguments.against))
    publish(rows=rows, ratios=ratios, json_file=arguments.json, table_of="part")


if __name__ == "__main__":
    sys.exit(main())
