"""Seconds of a few real training steps of a config on this machine."""

import os
import time
from functools import partial
from typing import NamedTuple

from fvcore.common.config import CfgNode

from sce_video.augment.batch import make_views
from sce_video.build.data import build_train_loader, build_train_manifest
from sce_video.build.files import build_opener, build_videos
from sce_video.build.method import build_method
from sce_video.build.optim import build_optimizer, build_schedules
from sce_video.build.training import build_precision
from sce_video.build.views import build_views
from sce_video.launch.local import choose_device
from sce_video.train.step import pretrain_step

_NUM_STEPS = 4
_MOST_SECONDS = 20.0


class StepTime(NamedTuple):
    """Mean seconds of `num_steps` steps, loading included; `load` is the machine's load average meanwhile."""

    seconds: float
    num_steps: int
    device: str
    load: float


def time_steps(cfg: CfgNode) -> StepTime:
    """Load, decode and train for a few steps; nothing is written.

    Raises:
        UserError: the videos cannot be used.
    """
    device, views = choose_device(cfg), build_views(cfg)
    videos = build_videos(cfg, build_train_manifest(cfg), build_opener(cfg))
    loader = build_train_loader(cfg, videos, views, device)
    model = build_method(cfg, steps_per_epoch=loader.steps_per_epoch).to(device).train()
    optimizer, schedules = build_optimizer(cfg, model), build_schedules(cfg, loader.steps_per_epoch, model)
    step = partial(
        pretrain_step,
        replica=model,
        optimizer=optimizer,
        precision=build_precision(cfg, device),
        make_views=partial(make_views, specs=views, device=device),
    )
    # Of a GPU the first step, which prepares its kernels, does not count.
    num_uncounted = int(device.type == "cuda")
    started, done = time.perf_counter(), 0
    for number, batch in enumerate(loader.batches_from(0, num_steps=_NUM_STEPS + num_uncounted)):
        step(batch.parts, schedules.at(number)).item()  # waits for the device
        done = number + 1 - num_uncounted
        if done == 0:
            started = time.perf_counter()
        elif time.perf_counter() - started > _MOST_SECONDS:
            break
    return StepTime((time.perf_counter() - started) / done, done, device.type, os.getloadavg()[0])
