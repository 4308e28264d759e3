"""Seconds of a few real training steps of a config on this machine."""

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from fvcore.common.config import CfgNode

from sce_video.augment.batch import make_views
from sce_video.build.data import build_train_loader, build_train_manifest
from sce_video.build.files import build_opener, build_videos
from sce_video.build.method import build_method
from sce_video.build.optim import build_optimizer, build_schedules
from sce_video.build.training import build_precision, to_device
from sce_video.build.views import build_views
from sce_video.launch.local import choose_device
from sce_video.train.step import pretrain_step

_NUM_STEPS = 5
_MOST_SECONDS = 20.0


class StepTime(NamedTuple):
    """Mean seconds of `num_steps` steps, loading included; `load` is the machine's load average meanwhile.

    `is_first`: it is the first step alone, with the start of loader processes and of the device's kernels.
    """

    seconds: float
    num_steps: int
    device: str
    load: float
    is_first: bool = False


def time_steps(cfg: CfgNode) -> StepTime:
    """Load, decode and train for a few steps; nothing is written.

    Raises:
        UserError: the videos cannot be used.
    """
    device, views = choose_device(cfg), build_views(cfg)
    videos = build_videos(cfg, build_train_manifest(cfg), build_opener(cfg))
    loader = build_train_loader(cfg, videos, views, device)
    model = to_device(cfg, build_method(cfg, steps_per_epoch=loader.steps_per_epoch), device).train()
    optimizer, schedules = build_optimizer(cfg, model), build_schedules(cfg, loader.steps_per_epoch, model)
    step = partial(
        pretrain_step,
        replica=model,
        optimizer=optimizer,
        precision=build_precision(cfg, model, device),
        make_views=partial(make_views, specs=views, device=device),
    )
    clock = [time.perf_counter()]  # before the first step, and after each
    for number, batch in enumerate(loader.batches_from(0, num_steps=_NUM_STEPS)):
        step(batch.parts, schedules.at(number)).item()  # waits for the device
        clock.append(time.perf_counter())
        if clock[-1] - clock[0] > _MOST_SECONDS:
            break
    return step_time(clock, device.type)


def step_time(clock: Sequence[float], device: str) -> StepTime:
    """Of the times before the first step and after each; the first step is left out if there are others."""
    counted = clock[1:] if len(clock) > 2 else clock
    num_steps = len(counted) - 1
    seconds = (counted[-1] - counted[0]) / num_steps
    return StepTime(seconds, num_steps, device, os.getloadavg()[0], is_first=counted is clock)
