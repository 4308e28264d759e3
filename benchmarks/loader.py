"""The whole loader: clips per second with 1 and 2 workers, where the time goes, and its share of the decoder's rate.

    python benchmarks/loader.py [FOLDER] [--quick] [--json FILE] [--cache DIR]

Two clips of 8 frames over 2.56 s per video, a random crop of each resized to 224 from files of short side 256, as uint8
batches. Compared with only the decoder, for the same frames, and with pytorchvideo's `LabeledVideoDataset` in a torch
`DataLoader` doing the same work.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch
from harness import Row, alternate, new_parser, publish, speed_ratio, use_cores
from loader_parts import Requested, TimedVideos, load_timed
from peers import subsample
from pytorchvideo.data import LabeledVideoDataset
from pytorchvideo.data.clip_sampling import RandomMultiClipSampler
from torch.utils.data import DataLoader
from torchvision.transforms import RandomResizedCrop
from videos import CLIP_SECONDS, NUM_CLIPS, NUM_FRAMES, ORIGINALS, encode_all, find_videos

from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.crop import AreaCrop
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.recipes import ViewRecipe, ViewSpec
from sce_video.augment.solarize import Solarize
from sce_video.clips.decoders import VideoDecoder, Videos, open_video
from sce_video.data.dataset import TrainDataset
from sce_video.data.loader import TrainLoader
from sce_video.data.order import ListOrder
from sce_video.engine.pool.workers import Workers
from sce_video.launch.program import exit_code_of

DECODER = "pyav"
SIZE_PIXELS, BATCH_SIZE = 224, 4
NUM_SLOW_BATCHES = 12  # for pytorchvideo
WARM_UP_BATCHES = 4  # two prefetched, one in transfer, one in use
CROP_AREA, CROP_ASPECT = (0.2, 0.766), (0.75, 1.3333)
# SCE's first view without temporal difference, which would read more frames than pytorchvideo does.
RECIPE = ViewRecipe(
    temporal_difference_probability=0.0,
    crop=AreaCrop(CROP_AREA, CROP_ASPECT),
    ops=(
        ColorJitter(0.8, (0.8, 0.8, 0.4, 0.2)),
        Grayscale(0.2),
        GaussianBlur(1.0, kernel_pixels=23, sigma_pixels=(0.1, 2.0)),
        Solarize(0.0),
        Flip(0.5),
    ),
    mean=(0.45, 0.45, 0.45),
    std=(0.225, 0.225, 0.225),
)


@dataclass(frozen=True)
class Files:
    """Local files as `Videos`."""

    paths: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def open(self, video: int) -> VideoDecoder:
        return open_video(self.paths[video], decoder=DECODER)


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ORIGINALS, help="videos, searched recursively")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the re-encoded files there for the next run")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        originals = find_videos(arguments.folder, num_videos=1 if arguments.quick else None)
        names = ("256p_gop4",) if arguments.quick else ("256p", "256p_gop4")
        num_batches, num_rounds = (12, 1) if arguments.quick else (28, 9)
        rows: list[Row] = []
        ratios: dict[str, float] = {}
        use_cores(2)
        for name in names:
            files = encode_all(originals, arguments.cache or Path(temporary), name=name)
            repeated = [str(files[index % len(files)]) for index in range(BATCH_SIZE * num_batches)]
            more_rows, more_ratios = measure(repeated, num_rounds=num_rounds)
            rows += [{"files": name, **row} for row in more_rows]
            ratios |= {f"{ratio}_{name}": value for ratio, value in more_ratios.items()}
        publish(rows=rows, ratios=ratios, json_file=arguments.json)


def measure(paths: list[str], *, num_rounds: int) -> tuple[list[Row], dict[str, float]]:
    timed = TimedVideos(Files(paths), paths)
    loader = our_loader(timed, num_workers=0)
    steps = range(loader.steps_per_epoch)
    parts = load_timed(our_dataset(timed), [loader.requests_of(step)[0] for step in steps], timed)
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        ours: dict[str, Callable[[], float]] = {
            "ours, in process": partial(time_ours, paths, 0),
            "ours, 1 worker": partial(time_ours, paths, 1),
            "ours, 2 workers": partial(time_ours, paths, 2),
            "decoder alone, 1 process": partial(time_decoder, timed.requested),
            "decoder alone, 2 processes": partial(time_decoder_twice, timed.requested, pool),
        }
        few = paths[: BATCH_SIZE * NUM_SLOW_BATCHES]
        peer: dict[str, Callable[[], float]] = {
            "pytorchvideo, 1 worker": partial(time_pytorchvideo, few, 1),
            "pytorchvideo, 2 workers": partial(time_pytorchvideo, few, 2),
        }
        # The peer takes part only in the first third of the rounds because it takes most of the time.
        num_shared = -(-num_rounds // 3)
        seconds = alternate(ours | peer, num_rounds=num_shared)
        for name, more in alternate(ours, num_rounds=num_rounds - num_shared).items():
            seconds[name] += more
    rows = [speed_row(name, taken) for name, taken in seconds.items()]
    total = sum(parts.values())
    rows += [{"what": f"share of time: {part}", "share_percent": 100 * parts[part] / total} for part in parts]
    return rows, ratios_of(seconds)


def speed_row(name: str, seconds_per_clip: Sequence[float]) -> Row:
    rates = [1 / seconds for seconds in seconds_per_clip]
    return {"what": name, "clips_per_s": median(rates), "min": min(rates), "max": max(rates)}


def ratios_of(seconds: dict[str, list[float]]) -> dict[str, float]:
    """`share_of_decoder` is the loader's rate relative to only decoding; `scaling_2_workers` the speedup by the second
    worker, to be compared with `scaling_of_the_decoder`, since two cores rarely double the speed."""
    shared = {name: taken[: len(seconds["pytorchvideo, 1 worker"])] for name, taken in seconds.items()}
    return {
        "1_worker_vs_pytorchvideo": speed_ratio(shared["ours, 1 worker"], shared["pytorchvideo, 1 worker"]),
        "2_workers_vs_pytorchvideo": speed_ratio(shared["ours, 2 workers"], shared["pytorchvideo, 2 workers"]),
        "1_worker_share_of_decoder": speed_ratio(seconds["ours, 1 worker"], seconds["decoder alone, 1 process"]),
        "2_workers_share_of_decoder": speed_ratio(seconds["ours, 2 workers"], seconds["decoder alone, 2 processes"]),
        "scaling_2_workers": speed_ratio(seconds["ours, 2 workers"], seconds["ours, 1 worker"]),
        "scaling_of_the_decoder": speed_ratio(
            seconds["decoder alone, 2 processes"], seconds["decoder alone, 1 process"]
        ),
    }


def our_dataset(videos: Videos) -> TrainDataset:
    view = ViewSpec(RECIPE, seconds=CLIP_SECONDS, num_frames=NUM_FRAMES, size_pixels=SIZE_PIXELS)
    return TrainDataset(videos, views=[view] * NUM_CLIPS, seed=0)


def our_loader(videos: Videos, *, num_workers: int) -> TrainLoader:
    return TrainLoader(
        our_dataset(videos),
        workers=Workers(num_workers, num_items=len(videos), timeout_seconds=60, name=str, tasks_ahead=2),
        order=ListOrder(len(videos), BATCH_SIZE, seed=0),
        accumulation_steps=1,
    )


def time_ours(paths: list[str], num_workers: int) -> float:
    """Seconds per clip."""
    loader = our_loader(Files(paths), num_workers=num_workers)
    return seconds_per_clip(loader.batches_from(0, num_steps=loader.steps_per_epoch), num_workers)


def time_pytorchvideo(paths: list[str], num_workers: int) -> float:
    """Seconds per clip of pytorchvideo for the same work: decode, keep 8 frames, crop, resize, stack."""
    crop = RandomResizedCrop(SIZE_PIXELS, scale=CROP_AREA, ratio=CROP_ASPECT, antialias=False)

    def views(loaded: dict[str, list[torch.Tensor]]) -> torch.Tensor:
        return torch.stack([crop(subsample(clip)) for clip in loaded["video"]])  # (2, C, T, H, W)

    dataset = LabeledVideoDataset(
        [(path, {}) for path in paths],
        RandomMultiClipSampler(CLIP_SECONDS, NUM_CLIPS),
        transform=views,
        decode_audio=False,
        decoder="pyav",
    )
    batches = DataLoader(dataset, batch_size=BATCH_SIZE, num_workers=num_workers, worker_init_fn=pin_to_core)
    return seconds_per_clip(iter(batches), num_workers)


def pin_to_core(worker: int) -> None:
    """In pytorchvideo's favour: PyAV starts a thread per available core, and two such workers slow each other down."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[worker % len(cores)]})


def seconds_per_clip(batches: Iterator[object], num_workers: int) -> float:
    """Seconds per clip after WARM_UP_BATCHES of every worker: start-up and first allocations do not count."""
    for _ in range(WARM_UP_BATCHES * max(num_workers, 1)):
        next(batches)
    before = time.perf_counter()
    num_batches = sum(1 for _ in batches)
    return (time.perf_counter() - before) / (num_batches * BATCH_SIZE * NUM_CLIPS)


def decode(requested: Sequence[Requested]) -> None:
    for path, times_seconds in requested:
        with open_video(path, decoder=DECODER) as video:
            video.frames_at(times_seconds)


def time_decoder(requested: Sequence[Requested]) -> float:
    """Seconds per clip."""
    before = time.perf_counter()
    decode(requested)
    return (time.perf_counter() - before) / (len(requested) * NUM_CLIPS)


def time_decoder_twice(requested: Sequence[Requested], pool: ProcessPoolExecutor) -> float:
    """Seconds per clip when two processes share the work."""
    before = time.perf_counter()
    list(pool.map(decode, [requested[0::2], requested[1::2]]))
    return (time.perf_counter() - before) / (len(requested) * NUM_CLIPS)


if __name__ == "__main__":
    sys.exit(main())
