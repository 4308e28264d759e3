"""What the probes of pretraining cost (docs/learning.md), as a share of a step on random views: nothing is decoded.

    python benchmarks/probes.py [CONFIG ...] [--videos 32] [--device cpu] [--rounds 5] [--quick] [--json FILE]

Timed are a step without probes, what the probes do in a step in which they measure, in another one, and when a line is
logged, with the verdict after 500 lines; and the examination of up to 32 clips in every fifth of the steps in which
others measure. Together they are over the steps between two measurements. CPU time of one thread, or wall time of a
GPU. The ratios are the speed of a run with probes to one without; at least 0.97 is wanted.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from fvcore.common.config import CfgNode
from harness import Row, new_parser, publish, seconds_of, use_cores

from sce_video.augment.batch import ClipBatch, TrainBatch
from sce_video.augment.draw import ViewParameters
from sce_video.build.method import build_method
from sce_video.build.movement import PERIODS, build_movement
from sce_video.build.optim import build_optimizer, build_schedules
from sce_video.build.probes import build_probes
from sce_video.config import load_config
from sce_video.data.videos import videos_from_paths
from sce_video.launch.program import exit_code_of
from sce_video.methods.base import Method
from sce_video.train.precision import Precision
from sce_video.train.probes.base import Seen
from sce_video.train.probes.verdict import verdict
from sce_video.train.step import pretrain_step

FOLDER = Path(__file__).parents[1] / "configs"
CONFIGS = ("demo_sce", "cifar10_sce_r18")
NUM_LABELLED, NUM_CLASSES, NUM_LINES = 4096, 100, 500


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument(
        "configs", nargs="*", default=CONFIGS, help=f"names in configs/ (default: {', '.join(CONFIGS)})"
    )
    parser.add_argument("--videos", type=int, default=32, metavar="N", help="of a step, on this rank")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    use_cores(1)
    device = torch.device(arguments.device)
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for name in arguments.configs[:1] if arguments.quick else arguments.configs:
        on_cpu = ["TRAIN.PRECISION", "fp32", "RUN.DEVICE", "cpu"] if device.type == "cpu" else []
        cfg = load_config(FOLDER / f"{name}.yaml", on_cpu)
        seconds = measure(
            cfg, device, num_videos=arguments.videos, num_rounds=2 if arguments.quick else arguments.rounds
        )
        every, lines = cfg.TRAIN.PROBE_EVERY_STEPS, cfg.TRAIN.PROBE_EVERY_STEPS / cfg.TRAIN.LOG_EVERY_STEPS
        probes = (
            seconds["measuring"]
            + (every - 1) * seconds["otherwise"]
            + lines * seconds["reading"]
            + seconds["verdict"]
            + seconds["movement"] / PERIODS
        )
        share = probes / (every * seconds["step"])
        milliseconds = {f"{what}, ms": 1000 * each for what, each in seconds.items()}
        rows.append({"config": name, "videos": arguments.videos, **milliseconds, "share of a step, %": 100 * share})
        ratios[f"{name}_with_vs_without_probes"] = 1 / (1 + share)
    publish(rows=rows, ratios=ratios, json_file=arguments.json)


def measure(cfg: CfgNode, device: torch.device, *, num_videos: int, num_rounds: int) -> dict[str, float]:
    """Median seconds of each part."""
    method = build_method(cfg, steps_per_epoch=100).to(device).train()
    labels = [video % NUM_CLASSES for video in range(NUM_LABELLED)]
    listed = videos_from_paths("/videos", map(str, range(NUM_LABELLED)), labels, "random views")
    movement, batch = build_movement(cfg, device, num_steps=1), random_batch(cfg, num_videos)
    probes = build_probes(cfg, method, [listed], device, num_steps=1)
    take_step = stepper(cfg, method, device, num_videos=num_videos)
    every, rates = cfg.TRAIN.PROBE_EVERY_STEPS, build_schedules(cfg, 100, method).at(0)
    line = {
        "loss": 1.0,
        "loss_chance": 2.0,
        "key_std": 0.1,
        "key_rank": 9.0,
        "embedding_dim": 64,
        "target_entropy": 1.0,
    }
    lines = [{"step": 10 * number, **line} for number in range(NUM_LINES)]
    kinds = ("step", "measuring", "otherwise", "reading", "verdict", "movement")
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(num_rounds + 1):
        for kind, step in (("measuring", 100 * every), ("otherwise", 100 * every + 1)):
            part = TrainBatch([(number * num_videos + each) % NUM_LABELLED for each in range(num_videos)], [], [])
            looked: list[float] = []

            def look(seen: Method, step: int = step, part: TrainBatch = part, looked: list[float] = looked) -> None:
                looked.append(seconds_of(lambda: probes.look(Seen(step, [part], rates, seen)), device))

            whole = seconds_of(partial(take_step, part, look), device)
            read = seconds_of(probes.read, device)
            if number:  # the first round is a warm-up
                taken["step"].append(whole - looked[0])
                taken[kind] += looked
                taken["reading"] += [read] if kind == "measuring" else []
        if movement is not None:
            taken["movement"].append(seconds_of(partial(movement.look, Seen(0, [batch], rates, method)), device))
        taken["verdict"].append(seconds_of(lambda: verdict(lines, num_steps=20 * NUM_LINES), device))
    return {name: median(values) if values else 0.0 for name, values in taken.items()}


def random_batch(cfg: CfgNode, num_videos: int) -> TrainBatch:
    """Clips of two views, which the examination looks at."""
    shape = (num_videos, cfg.CLIP.NUM_FRAMES, 3, cfg.CLIP.SIZE_PIXELS, cfg.CLIP.SIZE_PIXELS)
    clips = torch.randint(256, shape, dtype=torch.uint8)
    nothing = ViewParameters(*(torch.empty(0) for _ in ViewParameters._fields))
    return TrainBatch(list(range(num_videos)), [ClipBatch(clips, clips[:0], nothing)] * 2, [])


def stepper(
    cfg: CfgNode, method: Method, device: torch.device, *, num_videos: int
) -> Callable[[TrainBatch, Callable[[Method], None]], object]:
    optimizer, precision = build_optimizer(cfg, method), Precision(cfg.TRAIN.PRECISION, device)
    shape = (num_videos, 3, cfg.CLIP.NUM_FRAMES, cfg.CLIP.SIZE_PIXELS, cfg.CLIP.SIZE_PIXELS)
    views = [torch.randn(shape, device=device) for _ in range(2)]
    rates = build_schedules(cfg, 100, method).at(0)
    return lambda part, look: pretrain_step(
        [part],
        rates,
        replica=method,
        optimizer=optimizer,
        precision=precision,
        make_views=lambda _: views,
        look=look,
    )


if __name__ == "__main__":
    raise SystemExit(main())
