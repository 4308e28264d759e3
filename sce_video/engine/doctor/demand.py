"""Demand: the clips per second that the training step consumes when it never waits for the loader."""

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
    """Speed of the training step; `origin` describes where the number is from."""

    clips_per_second: float
    origin: str


def logged_demand(run_dir: Path) -> Demand:
    """The clips per second of a run's `metrics.jsonl`, without its wait for data.

    Raises:
        UserError: the file is missing, or holds no speed.
    """
    file = run_dir / "metrics.jsonl"
    rates = [
        line["clips_per_second"] / (1 - line["data_wait_share"])
        for line in read_metrics(file)
        if line.get("data_wait_share", 1.0) < 1 and "clips_per_second" in line
    ]
    if not rates:
        raise UserError(f"{file} holds no clips_per_second; give --run the folder of a pretraining run")
    settled = rates[1:] or rates  # the first line includes the run's warm-up
    return Demand(median(settled), f"median of {len(settled)} lines of {file}, without the wait for data")


def in_parts_that_fit(
    measure: Callable[[int], Demand], *, global_batch_size: int, given_parts: int
) -> tuple[Demand | None, int | None]:
    """The demand, and the number of parts in which a batch fits the GPU's memory; None and None if it never does.

    Args:
        measure: demand of steps on this many videos at a time.
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
    """Speed of steps on `num_clips` clips each, repeated for `seconds` after two warm-up steps.

    Args:
        counts_slow_first: a warm-up step that takes longer than `seconds` is the measurement.
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
    """A batch like the loader's: clips of noise, the same for all videos, with drawn parameters."""
    generator = generator_from("doctor")
    noises = [torch.randint(256, view.clip_shape, dtype=torch.uint8, generator=generator) for view in views]

    def clip(view: ViewSpec, noise: Tensor) -> ClipForView:
        parameters = draw_view(view.recipe, generator=generator)
        frames = noise.movedim(-1, 1)  # (T, C, H, W)
        return ClipForView(frames, frames.flip(0) if parameters.temporal_difference else None, parameters)

    return collate([VideoClips(video, tuple(map(clip, views, noises)), []) for video in range(num_videos)])


def training_step(demand: Demand | None, why_not: str) -> list[Finding]:
    """Finding on the demand; `why_not` is the reason if it is None."""
    if demand is None:
        fix = "give --run the folder of a run on such a GPU, or run this where the training will run"
        return [Finding("note", "training step", f"not measured: {why_not}", fix)]
    return [Finding("ok", "training step", f"takes {demand.clips_per_second:.0f} clips/s ({demand.origin})")]


def batch_fits(global_batch_size: int, *, given_parts: int, fitting_parts: int | None) -> list[Finding]:
    """Finding on whether a batch fits the GPU's memory; `fitting_parts` as from `in_parts_that_fit`."""
    topic, fact = "GPU memory", f"a batch of {global_batch_size} in {given_parts} parts"
    if fitting_parts == given_parts:
        return [Finding("ok", topic, f"{fact} fits")]
    if fitting_parts is None:
        fix = "use smaller clips or a smaller model"
        return [Finding("problem", topic, f"{fact} does not fit, nor in 16 times as many", fix)]
    fix = f"set TRAIN.ACCUMULATION_STEPS {fitting_parts}; batch norm then sees one part at a time"
    return [Finding("problem", topic, f"{fact} does not fit; in {fitting_parts} it does", fix)]
