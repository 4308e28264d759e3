"""A list of 650,000 videos (Kinetics-700): seconds to load, memory, and memory that loader processes add.

    python benchmarks/manifest.py [--quick] [--json FILE]

Compared with pytorchvideo's `LabeledVideoPaths`, which keeps a Python list of tuples. Memory is measured in a new
process that loads the list and then forks 4 workers, each of which reads every entry: pages that a worker writes to
(reference counts) are copied, the kernel's `Private_Dirty`. Linux only.
"""

import gc
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from harness import Row, alternate, new_parser, publish, speed_ratio
from pytorchvideo.data.labeled_video_paths import LabeledVideoPaths

from sce_video.data.sources import read_list
from sce_video.data.videos import ListedVideos

NUM_WORKERS = 4
NUM_CLASSES = 700
ID_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"


def main() -> int:
    arguments = new_parser(__doc__).parse_args()
    num_videos, num_rounds = (100_000, 3) if arguments.quick else (650_000, 5)
    with tempfile.TemporaryDirectory() as folder:
        list_file = Path(folder) / "train.txt"
        write_list(list_file, num_videos)
        seconds = alternate(
            {name: partial(seconds_to_load, name, list_file) for name in LOADERS}, num_rounds=num_rounds
        )
        memory = {name: measured_memory(name, list_file) for name in LOADERS}
    rows: list[Row] = [
        {"list": name, "videos": num_videos, "load seconds": median(seconds[name]), **memory[name]} for name in LOADERS
    ]
    ours, peer = memory["ours"], memory["pytorchvideo"]
    ratios = {"load speed": speed_ratio(seconds["ours"], seconds["pytorchvideo"])}
    ratios |= {f"{name}, less is better": peer[name] / ours[name] for name in ("list MB", "list and 4 workers MB")}
    publish(rows=rows, ratios=ratios, json_file=arguments.json)
    return 0


def write_list(file: Path, num_videos: int) -> None:
    """Write lines as in Kinetics: `class/id_start_end.mp4 label`."""
    drawn = random.Random(0)
    with file.open("w") as lines:
        for _ in range(num_videos):
            label, start = drawn.randrange(NUM_CLASSES), drawn.randrange(300)
            name = "".join(drawn.choices(ID_LETTERS, k=11))
            lines.write(f"train/some class name {label}/{name}_{start:06d}_{start + 10:06d}.mp4 {label}\n")


def load_ours(list_file: Path) -> ListedVideos:
    return read_list(list_file, list_file.parent)


def load_pytorchvideo(list_file: Path) -> LabeledVideoPaths:
    return LabeledVideoPaths.from_csv(str(list_file))


def entries_of_ours(manifest: ListedVideos) -> Iterable[object]:
    labels = manifest.require_labels()
    return ((manifest.paths[video], labels[video]) for video in range(len(manifest)))


def entries_of_pytorchvideo(paths: LabeledVideoPaths) -> Iterable[object]:
    return (paths[video] for video in range(len(paths)))


LOADERS: dict[str, Callable[[Path], object]] = {"ours": load_ours, "pytorchvideo": load_pytorchvideo}
ENTRIES: dict[str, Callable[..., Iterable[object]]] = {"ours": entries_of_ours, "pytorchvideo": entries_of_pytorchvideo}


def seconds_to_load(name: str, list_file: Path) -> float:
    before = time.perf_counter()
    entries = LOADERS[name](list_file)
    taken = time.perf_counter() - before
    del entries  # freed only after the measurement
    return taken


def measured_memory(name: str, list_file: Path) -> dict[str, float]:
    """Megabytes of the list, of what 4 workers add in total, and of both."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=load_and_fork, args=(name, list_file, theirs))
    process.start()
    theirs.close()  # so that recv raises EOFError if the process dies
    list_mb, workers_mb = ours.recv()
    process.join()
    return {"list MB": list_mb, "4 workers add MB": workers_mb, "list and 4 workers MB": list_mb + workers_mb}


def load_and_fork(name: str, list_file: Path, answer: Connection) -> None:
    gc.collect()
    before = megabytes("Pss")
    entries = LOADERS[name](list_file)
    gc.collect()
    list_mb = megabytes("Pss") - before
    fork = multiprocessing.get_context("fork")
    receivers = []
    for _ in range(NUM_WORKERS):
        receiver, sender = fork.Pipe(duplex=False)
        fork.Process(target=read_all, args=(ENTRIES[name], entries, sender)).start()
        receivers.append(receiver)
    answer.send((list_mb, sum(receiver.recv() for receiver in receivers)))


def read_all(entries_of: Callable[..., Iterable[object]], entries: object, answer: Connection) -> None:
    before = megabytes("Private_Dirty")
    for _ in entries_of(entries):
        pass
    answer.send(megabytes("Private_Dirty") - before)


def megabytes(kind: str) -> float:
    """A field of this process's /proc/self/smaps_rollup."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"{kind!r} is not in /proc/self/smaps_rollup")


if __name__ == "__main__":
    sys.exit(main())
