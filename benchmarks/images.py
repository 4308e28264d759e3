"""Small images: ms to make a batch in loader processes and on the device, and of a training step with and without.

    python benchmarks/images.py [--cfg CONFIG] [--batch N] [--precision bf16] [--device cuda] [--quick] [--json FILE]

Images are made up; the recipe of `configs/cifar10_sce_r18.yaml` by default. `speed_with_loader` is the speed of
training relative to that on one batch which is always there: 1 means that it never waits for data. "Random numbers" is
the part of "on the device" that the CPU does.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from harness import Row, alternate, new_parser, publish, speed_ratio

from sce_video.augment.batch import TrainBatch, make_views
from sce_video.augment.crop import MOST_NUMBERS
from sce_video.augment.draw import draw_views, num_words_of_view
from sce_video.augment.recipes import ViewSpec
from sce_video.augment.words import Words
from sce_video.build.method import build_method
from sce_video.build.optim import build_optimizer, build_schedules
from sce_video.build.views import build_views
from sce_video.clips.decoders import VideoOpener
from sce_video.config import load_config
from sce_video.data.dataset import TrainDataset
from sce_video.data.device_images import DeviceImages
from sce_video.data.loader import BatchLoader, DeviceLoader, TrainLoader
from sce_video.data.manifest import PackedTexts
from sce_video.data.order import ListOrder
from sce_video.data.storage import ImageArray
from sce_video.data.videos import ListedVideos
from sce_video.engine.pool.workers import Workers
from sce_video.runtime.seeds import seed_from
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.step import pretrain_step

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "cifar10_sce_r18.yaml"
NUM_IMAGES, SEED = 10_240, 0
BATCHES_AHEAD = 2  # of each loader process
NEVER = 10**9
EPOCHS = count()
Step = Callable[[TrainBatch], object]


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--cfg", type=Path, default=CONFIG, metavar="FILE", help="a config of images")
    parser.add_argument("--batch", type=int, metavar="N", help="images per step (default 256; with --quick 16)")
    parser.add_argument("--precision", default="fp32", metavar="NAME", help="of the step: fp32 (default), bf16, fp16")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cuda or cpu")
    run(parser.parse_args())
    return 0


def run(arguments: argparse.Namespace) -> None:
    device, num_videos = torch.device(arguments.device), arguments.batch or (16 if arguments.quick else 256)
    num_batches = 8 if arguments.quick else 50
    num_steps = 1 if device.type == "cpu" else num_batches
    cfg = load_config(arguments.cfg, ["RUN.DEVICE", arguments.device])
    views, step = build_views(cfg), training_step(arguments, num_videos, device)
    pixels = np.random.default_rng(SEED).integers(0, 256, (NUM_IMAGES, *image_size(views), 3), dtype=np.uint8)
    workers = [loader_with(pixels, views, num_videos, num, device=device) for num in (0, 1, 2)]
    on_device = device_loader(pixels, views, num_videos, device=device)
    fixed = next(batches_of(on_device))
    streams = {
        "loader, in process": batches_of(workers[0]),
        "loader, 1 worker": batches_of(workers[1]),
        "loader, 2 workers": batches_of(workers[2]),
        "on the device": batches_of(on_device),
    }
    timed: dict[str, Callable[[], float]] = {
        name: partial(seconds_of_batches, stream, num_batches, device) for name, stream in streams.items()
    }
    timed["random numbers"] = partial(seconds_each, partial(draw, views, num_videos), num_batches, device)
    timed["step, one batch"] = partial(seconds_each, partial(step, fixed), num_steps, device)
    stream = streams["on the device"]
    timed["step, on the device"] = partial(seconds_each, lambda: step(next(stream)), num_steps, device)
    for each in timed.values():
        each()  # start processes, choose kernels
    seconds = alternate(timed, num_rounds=1 if arguments.quick else 3 if device.type == "cpu" else 5)
    rows: list[Row] = [
        {
            "what": name,
            "ms": 1000 * median(taken),
            "images_per_s": num_videos / median(taken),
            "min_ms": 1000 * min(taken),
        }
        for name, taken in seconds.items()
    ]
    ratios = {
        "speed_with_loader": speed_ratio(seconds["step, on the device"], seconds["step, one batch"]),
        "on_device_vs_2_workers": speed_ratio(seconds["on the device"], seconds["loader, 2 workers"]),
    }
    publish(rows=rows, ratios=ratios, json_file=arguments.json)


def image_size(views: list[ViewSpec]) -> tuple[int, int]:
    return views[0].size_pixels, views[0].size_pixels


def loader_with(
    pixels: np.ndarray, views: list[ViewSpec], num_videos: int, num_workers: int, *, device: torch.device
) -> TrainLoader:
    paths = PackedTexts(f"images/{image:06d}" for image in range(NUM_IMAGES))
    listed = ListedVideos(paths, None, "made up", storage=ImageArray(Path(), pixels))
    dataset = TrainDataset(listed.opened_by(VideoOpener("pyav")), views=views, seed=SEED)
    pinned = device.type == "cuda"
    workers = Workers(
        num_workers, num_items=NUM_IMAGES, timeout_seconds=60, name=str, tasks_ahead=BATCHES_AHEAD, pin_memory=pinned
    )
    return TrainLoader(dataset, workers=workers, order=order_of(num_videos), accumulation_steps=1)


def device_loader(pixels: np.ndarray, views: list[ViewSpec], num_videos: int, *, device: torch.device) -> DeviceLoader:
    images = DeviceImages(pixels, range(NUM_IMAGES), views=views, seed=SEED, device=device)
    none = Workers(0, num_items=NUM_IMAGES, timeout_seconds=60, name=str)
    return DeviceLoader(images, workers=none, order=order_of(num_videos), accumulation_steps=1)


def order_of(num_videos: int) -> ListOrder:
    return ListOrder(NUM_IMAGES, num_videos, SEED)


def batches_of(loader: BatchLoader) -> Iterator[TrainBatch]:
    for _, (batch,) in loader.batches_from(0, num_steps=NEVER):
        yield batch


def draw(views: list[ViewSpec], num_videos: int) -> None:
    """What `DeviceImages` draws for a batch."""
    epoch = next(EPOCHS)
    for number, view in enumerate(views):
        seeds = [seed_from(SEED, epoch, video, number) for video in range(num_videos)]
        words = Words(seeds, num_words=num_words_of_view(view.recipe) + MOST_NUMBERS)
        draw_views(view.recipe, words)
        for numbers in words.rest():
            view.recipe.crop.draw_from(numbers, *image_size(views))


def training_step(arguments: argparse.Namespace, num_videos: int, device: torch.device) -> Step:
    settings = {"RUN.DEVICE": arguments.device, "TRAIN.PRECISION": arguments.precision}
    words = [word for pair in settings.items() for word in pair]
    cfg = load_config(arguments.cfg, [*words, "TRAIN.GLOBAL_BATCH_SIZE", str(num_videos)])
    model = build_method(cfg, steps_per_epoch=1).to(device).train()
    return partial(
        take_step,
        rates=build_schedules(cfg, 1, model).at(0),
        replica=model,
        optimizer=build_optimizer(cfg, model),
        precision=Precision(cfg.TRAIN.PRECISION, device),
        make_views=partial(make_views, specs=build_views(cfg), device=device),
    )


def take_step(batch: TrainBatch, *, rates: Rates, **others: Any) -> None:
    pretrain_step([batch], rates, **others)


def seconds_of_batches(stream: Iterator[TrainBatch], num_batches: int, device: torch.device) -> float:
    """Seconds per batch, after those that two loader processes have prepared while others were measured."""
    for _ in range(2 * BATCHES_AHEAD):
        next(stream)
    return seconds_each(partial(next, stream), num_batches, device)


def seconds_each(function: Callable[[], object], num_calls: int, device: torch.device) -> float:
    """Seconds per call; work that is queued on a GPU is waited for once, after the last."""
    synchronize(device)
    before = time.perf_counter()
    for _ in range(num_calls):
        function()
    synchronize(device)
    return (time.perf_counter() - before) / num_calls


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    raise SystemExit(main())
