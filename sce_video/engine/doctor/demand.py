"""How many clips per second the training step takes when the loader never lets it wait."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from sce_video.augment.batch import ClipForView, TrainBatch, VideoClips, collate
from sce_video.augment.draw import draw_view
from sce_video.augment.recipes import ViewSpec
from sce_video.engine.doctor.finding import Finding
from sce_video.errors import UserError
from sce_video.runtime.logging import read_metrics
from sce_video.runtime.seeds import generator_from

_NUM_WARM_UP_STEPS = 2
_FACTORS_TRIED = (1, 2, 4, 8, 16)


class Demand(NamedTuple):
    """`origin` says in words where the number is from."""

    clips_per_second: float
    origin: str


def logged_demand(run_dir: Path) -> Demand:
    """From the `metrics.jsonl` of a run: its clips per second, had it never waited for data.

    Raises:
        UserError: no such file, or no speed in it.
    """
    file = run_dir / "metrics.jsonl"
    rates = [
        line["clips_per_second"] / (1 - line["data_wait_share"])
        for line in read_metrics(file)
        if line.get("data_wait_share", 1.0) < 1 and "clips_per_second" in line
    ]
    if not rates:
        raise UserError(f"{file} holds no clips_per_second; give --run the folder of a pretraining run")
    settled = rates[1:] or rates  # the first lines of a run are those of its warm-up
    return Demand(median(settled), f"median of {len(settled)} lines of {file}, without the wait for data")


def in_parts_that_fit(
    measure: Callable[[int], Demand], *, global_batch_size: int, given_parts: int
) -> tuple[Demand | None, int | None]:
    """The demand of steps, and in how many parts a batch fits the memory; None and None if in none of those tried.

    Args:
        measure: steps on so many videos at a time.
    """
    for factor in _FACTORS_TRIED:
        num_parts = given_parts * factor
        part_size = global_batch_size // num_parts
        if part_size == 0:
            break
        try:
            return measure(part_size), num_parts
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    return None, None


def clips_per_second(step: Callable[[], Tensor], *, num_clips: int, seconds: float, counts_slow_first: bool) -> float:
    """Of steps on `num_clips` clips each, made for `seconds` after two of warm-up.

    `counts_slow_first`: a first step that takes longer than `seconds` is measured itself.
    """
    for _ in range(_NUM_WARM_UP_STEPS):
        started = time.perf_counter()
        step().item()
        if counts_slow_first and (took := time.perf_counter() - started) > seconds:
            return num_clips / took
    started, num_steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step().item()  # waits for the device
        num_steps += 1
    return num_steps * num_clips / (time.perf_counter() - started)


def made_up_batch(views: Sequence[ViewSpec], *, num_videos: int) -> TrainBatch:
    """A batch as the loader gives it: clips of noise, the same for all videos, and drawn parameters."""
    generator = generator_from("doctor")
    noises = [torch.randint(256, view.clip_shape, dtype=torch.uint8, generator=generator) for view in views]

    def clip(view: ViewSpec, noise: Tensor) -> ClipForView:
        parameters = draw_view(view.recipe, generator=generator)
        frames = noise.movedim(-1, 1)  # (T, C, H, W)
        return ClipForView(frames, frames.flip(0) if parameters.temporal_difference else None, parameters)

    return collate([VideoClips(video, tuple(map(clip, views, noises)), []) for video in range(num_videos)])


def training_step(demand: Demand | None, why_not: str) -> list[Finding]:
    """`why_not`: the reason when nothing is known."""
    if demand is None:
        way_out = "give --run with the folder of a run on such a GPU, or start this where the training will run"
        return [Finding("note", "training step", f"not measured: {why_not}", way_out)]
    return [Finding("ok", "training step", f"takes {demand.clips_per_second:.0f} clips/s ({demand.origin})")]


def batch_fits(global_batch_size: int, *, given_parts: int, fitting_parts: int | None) -> list[Finding]:
    """`fitting_parts`: parts that the batch fits the GPU's memory in; None if it fits in none of those tried."""
    topic, fact = "GPU memory", f"a batch of {global_batch_size} in {given_parts} parts"
    if fitting_parts == given_parts:
        return [Finding("ok", topic, f"{fact} fits")]
    if fitting_parts is None:
        return [Finding("problem", topic, f"{fact} does not fit, nor in 16 times as many", "a smaller clip or model")]
    way_out = f"TRAIN.ACCUMULATION_STEPS {fitting_parts}: batch norm then sees one part"
    return [Finding("problem", topic, f"{fact} does not fit; in {fitting_parts} it does", way_out)]
