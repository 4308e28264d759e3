"""Clips per second on one core: every decoder on originals and on files re-encoded with short GOPs.

    python benchmarks/decode.py [FOLDER] [--quick] [--json FILE] [--cache DIR]

Two random clips of 8 frames over 2.56 s per video, opening included, compared with pytorchvideo's
`LabeledVideoDataset`, torchcodec and decord, used as documented. Each decoder has its own process, as in the loader;
they share one core, take turns video by video and keep freed memory. The frames of each are first compared with a
sequential decode: `wrong` counts those that are not the requested ones.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import av
import numpy as np
import torch
from harness import Row, alternate, new_parser, publish, speed_ratio, use_cores
from peers import FAILURES, Reader, readers_that_load
from videos import (
    ENCODINGS,
    LONG_GOP,
    NUM_CLIPS,
    NUM_FRAMES,
    ORIGINAL,
    ORIGINALS,
    Wanted,
    describe,
    encode_all,
    find_videos,
    wanted_frames,
)

from sce_video.engine.pool.workers import keep_freed_memory
from sce_video.errors import UserError
from sce_video.launch.program import exit_code_of
from sce_video.report.text_table import text_table

DEFAULT, SLOW = "ours pyav", "pytorchvideo"
# On files with short GOPs the fast decoders have this many times the rounds of the slow one, which dominates a round.
TURNS = 3
LONG_GOPS = (ORIGINAL, LONG_GOP)
QUICK_ENCODINGS = (ORIGINAL, "gop4", "256p", "256p_gop4")
# Shorter measurements depend more on the machine's other work than on the decoder.
LEAST_SECONDS = 0.03
# A frame is also compared with this many frames before and after: none of them may be closer than the right one.
NEIGHBOURS = 2
own_reader: Reader  # set in the process of a reader
# Levels of 255, mean over a frame. Decoders differ in rounding and in the upsampling of chroma.
SAME_LEVELS, NEARER_LEVELS = 8.0, 0.3


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ORIGINALS, help="videos, searched recursively")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the re-encoded files there for the next run")
    arguments = parser.parse_args()
    return exit_code_of(partial(run, arguments))


def run(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        originals = find_videos(arguments.folder, num_videos=1 if arguments.quick else None)
        print_videos(originals)
        names = QUICK_ENCODINGS if arguments.quick else (ORIGINAL, *ENCODINGS)
        cache = arguments.cache or Path(temporary)
        files = {name: encode_all(originals, cache, name=name) for name in names}
        use_cores(1)
        measure(files, num_rounds=3 if arguments.quick else 5, json_file=arguments.json)


def print_videos(videos: Sequence[Path]) -> None:
    facts = [describe(video) for video in videos]
    print(text_table(list(facts[0]), [[str(value) for value in fact.values()] for fact in facts]) + "\n")


def measure(files: dict[str, list[Path]], *, num_rounds: int, json_file: Path | None) -> None:
    readers = readers_that_load(wanted_frames(files[ORIGINAL][:1], seed=0))
    rows: list[Row] = []
    seconds: dict[tuple[str, str], list[float]] = {}
    for name, videos in files.items():
        turns = 1 if name in LONG_GOPS else TURNS
        rounds = [wanted_frames(videos, seed=seed) for seed in range(turns * num_rounds)]
        wrong = count_wrong(readers, rounds[0])
        # A reader without a right frame fails on these files: there is nothing to time.
        useful = [reader for reader in readers if wrong[reader] < len(videos) * NUM_CLIPS * NUM_FRAMES]
        taken, cpu_seconds = in_turns(
            {reader: readers[reader] for reader in useful}, rounds, num_slow_rounds=num_rounds
        )
        size: Row = {
            "bytes": num_bytes(videos),
            "bytes_vs_original": num_bytes(videos) / num_bytes(files[ORIGINAL]),
        }
        for reader in readers:
            speed = speeds(taken[reader], cpu_seconds[reader], num_videos=len(videos)) if reader in taken else {}
            rows.append({"files": name, "decoder": reader, **speed, "wrong": wrong[reader], **size})
        seconds |= {(reader, name): taken[reader] for reader in useful}
        print(f"{name}: done", file=sys.stderr)
    publish(rows=rows, ratios=ratios_of(seconds), json_file=json_file)


def speeds(seconds: Sequence[float], cpu_seconds: Sequence[float], *, num_videos: int) -> Row:
    """Clips per second (median, minimum and maximum of the rounds); wall and CPU milliseconds per video."""
    rates = [NUM_CLIPS * num_videos / each for each in seconds]
    return {
        "clips_per_s": median(rates),
        "min": min(rates),
        "max": max(rates),
        "ms_per_video": 1000 * median(seconds) / num_videos,
        "cpu_ms_per_video": 1000 * median(cpu_seconds) / num_videos,
    }


def num_bytes(videos: Sequence[Path]) -> int:
    return sum(video.stat().st_size for video in videos)


def in_turns(
    readers: dict[str, Reader], rounds: Sequence[Sequence[Wanted]], *, num_slow_rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Wall and CPU seconds of each reader per round; the slow one takes part only in the first `num_slow_rounds`.

    A turn is one video because the speed of a shared core changes within seconds.
    """
    num_videos = len(rounds[0])
    with ExitStack() as stack:
        cpu_seconds: dict[str, list[float]] = {name: [] for name in readers}
        candidates = {
            name: one_video(stack.enter_context(a_process(reader)), rounds, cpu_seconds[name])
            for name, reader in readers.items()
        }
        taken = alternate(candidates, num_rounds=num_slow_rounds * num_videos)
        candidates.pop(SLOW, None)
        more = alternate(candidates, num_rounds=(len(rounds) - num_slow_rounds) * num_videos)
    wall_seconds = {name: [*taken[name], *more.get(name, [])] for name in readers}
    wall, cpu = (per_round(each, num_videos=num_videos) for each in (wall_seconds, cpu_seconds))
    return wall, cpu


def a_process(reader: Reader) -> ProcessPoolExecutor:
    """A forked process for a reader, which then need not be pickled."""
    return ProcessPoolExecutor(1, mp_context=get_context("fork"), initializer=become, initargs=(reader,))


def become(reader: Reader) -> None:
    """Initialise the process of a reader."""
    global own_reader
    own_reader = reader
    keep_freed_memory()


def read_one(video: Wanted) -> tuple[float, float]:
    """Wall and CPU seconds to read the clips of a video, repeated for at least LEAST_SECONDS."""
    num_times = 0
    before, cpu_before = time.perf_counter(), time.process_time()
    while num_times == 0 or time.perf_counter() - before < LEAST_SECONDS:
        for _ in own_reader([video]):
            pass
        num_times += 1
    return (time.perf_counter() - before) / num_times, (time.process_time() - cpu_before) / num_times


def one_video(
    process: ProcessPoolExecutor, rounds: Sequence[Sequence[Wanted]], cpu_seconds: list[float]
) -> Callable[[], float]:
    """A function that reads the clips of the next video, in the same order for all readers, and returns seconds."""
    remaining = (video for wanted in rounds for video in wanted)

    def read() -> float:
        try:
            wall, cpu = process.submit(read_one, next(remaining)).result()
        except FAILURES as error:
            raise UserError(f"a decoder fails on some of these files ({error}); leave them out") from error
        cpu_seconds.append(cpu)
        return wall

    return read


def per_round(seconds: dict[str, list[float]], *, num_videos: int) -> dict[str, list[float]]:
    """Sums over the videos of each round."""
    return {
        reader: [sum(taken[i : i + num_videos]) for i in range(0, len(taken), num_videos)]
        for reader, taken in seconds.items()
    }


def ratios_of(seconds: dict[tuple[str, str], list[float]]) -> dict[str, float]:
    """Our default against each peer, torchcodec in the faster of its two modes.

    `gop4_vs_..._original` is the gain from re-encoding.
    """
    ratios = {}
    for ours, theirs in [
        ("original", "original"),
        ("gop4", "original"),
        ("gop4", "gop4"),
        ("256p", "256p"),
        ("256p_gop4", "256p"),
        ("256p_gop4", "256p_gop4"),
    ]:
        default = seconds[DEFAULT, ours]
        for peer in ("pytorchvideo", "torchcodec", "decord"):
            modes = [taken for (reader, name), taken in seconds.items() if reader.split()[0] == peer and name == theirs]
            if modes:
                ratio = min(speed_ratio(default[: len(taken)], taken) for taken in modes)
                ratios[f"default_{ours}_vs_{peer}_{theirs}"] = ratio
    return ratios


def count_wrong(readers: dict[str, Reader], wanted: Sequence[Wanted]) -> dict[str, int]:
    """Number of a reader's frames that are not the requested ones; all frames of a video that it skips count."""
    wrong = dict.fromkeys(readers, 0)
    for video in wanted:
        sequential = decode_from_start(video.path, video.indices)
        for name, reader in readers.items():
            frames = frames_or_none(reader, video)
            if frames is None or len(frames) != len(video.indices):
                wrong[name] += len(video.indices)
                continue
            pairs = zip(video.indices, frames, strict=True)
            wrong[name] += sum(is_wrong(frame, index, sequential) for index, frame in pairs)
    return wrong


def frames_or_none(reader: Reader, video: Wanted) -> torch.Tensor | None:
    """The frames, or None if the reader fails or, like pytorchvideo, skips the video."""
    try:
        return next(reader([video]), None)
    except FAILURES:
        return None


def is_wrong(frame: torch.Tensor, index: int, sequential: dict[int, torch.Tensor]) -> bool:
    """Whether a frame differs clearly from the one at `index`, or is closer to one of its neighbours."""
    if frame.shape != sequential[index].shape:
        return True
    seen = every_other_pixel(frame)
    near = {other: every_other_pixel(sequential[other]) for other in around(index) if other in sequential}
    distances = {other: float((seen - pixels).abs().mean()) for other, pixels in near.items()}
    return distances[index] > min(SAME_LEVELS, min(distances.values()) + NEARER_LEVELS)


def every_other_pixel(frame: torch.Tensor) -> torch.Tensor:
    return frame[:, ::2, ::2].float()


def around(index: int) -> range:
    return range(index - NEIGHBOURS, index + NEIGHBOURS + 1)


def decode_from_start(path: str, indices: Sequence[int]) -> dict[int, torch.Tensor]:
    """The frames at `indices` (in presentation order) and their neighbours, uint8 (C, H, W), decoded sequentially."""
    kept = {near for index in indices for near in around(index)}
    with av.open(path) as container:
        return {index: upright(frame) for index, frame in enumerate(container.decode(video=0)) if index in kept}


def upright(frame: av.VideoFrame) -> torch.Tensor:
    turned = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90).copy()
    return torch.from_numpy(turned).permute(2, 0, 1)


if __name__ == "__main__":
    sys.exit(main())
