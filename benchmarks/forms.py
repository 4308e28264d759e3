"""The forms of a training step (TRAIN.SPEED, TRAIN.PRECISION) in turn: seconds, and times as fast as the plain one.

    python benchmarks/forms.py [CONFIG ...] [--threads N] [--rounds N] [--device cpu] [--quick] [--json FILE]

A step from uint8 clips in memory, made up, to updated weights, augmentation included; nothing is decoded.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from statistics import median

import torch
from harness import Row, alternate, new_parser, publish, speed_ratio

from sce_video.cli.doctor.training_step import made_up_step
from sce_video.config import load_config
from sce_video.launch.program import exit_code_of

CONFIGS = ("demo_sce", "jhmdb_sce", "own_videos")
FOLDER = Path(__file__).parents[1] / "configs"
# The first one is the plain form.
FORMS = {
    f"{speed}, {precision}": ["TRAIN.SPEED", speed, "TRAIN.PRECISION", precision]
    for speed, precision in (("plain", "fp32"), ("channels_last", "fp32"), ("channels_last", "bf16"))
}


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("configs", nargs="*", default=CONFIGS, help="names in configs/")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--device", default="cpu")
    return exit_code_of(partial(run, parser.parse_args()))


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    smaller = ["TRAIN.GLOBAL_BATCH_SIZE", "4", "CLIP.SIZE_PIXELS", "32"] if arguments.quick else []
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for name in arguments.configs[:1] if arguments.quick else arguments.configs:
        steps = {form: one_step(name, [*words, *smaller], device) for form, words in FORMS.items()}
        for step in steps.values():
            step()
        seconds = alternate(steps, num_rounds=1 if arguments.quick else arguments.rounds)
        plain = seconds[next(iter(FORMS))]
        for form, taken in seconds.items():
            rows.append({"config": name, "threads": arguments.threads, "form": form, "seconds": median(taken)})
            ratios[f"{name}: {form}"] = speed_ratio(taken, plain)
    publish(rows=rows, ratios=ratios, json_file=arguments.json)


def one_step(name: str, words: list[str], device: torch.device) -> partial[float]:
    """A function that takes one optimiser step of a config and returns its seconds."""
    cfg = load_config(FOLDER / f"{name}.yaml", words)
    part_size = cfg.TRAIN.GLOBAL_BATCH_SIZE // cfg.TRAIN.ACCUMULATION_STEPS
    return partial(_seconds_of, made_up_step(cfg, device, part_size))


def _seconds_of(step: "partial[torch.Tensor]") -> float:
    before = time.perf_counter()
    step().item()  # waits for the device
    return time.perf_counter() - before


if __name__ == "__main__":
    raise SystemExit(main())
