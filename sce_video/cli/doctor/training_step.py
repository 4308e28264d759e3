"""Demand of a config's training step, measured on made-up clips."""

from functools import partial

import torch
from fvcore.common.config import CfgNode
from torch import Tensor

from sce_video.augment.batch import make_views
from sce_video.build.method import build_method
from sce_video.build.optim import build_optimizer, build_schedules
from sce_video.build.training import to_device
from sce_video.build.views import build_views
from sce_video.cli.doctor.subject import Subject
from sce_video.engine.doctor.demand import (
    Demand,
    batch_fits,
    clips_per_second,
    in_parts_that_fit,
    made_up_batch,
    training_step,
)
from sce_video.engine.doctor.finding import Finding, refusal
from sce_video.errors import ConfigError
from sce_video.launch.local import choose_device
from sce_video.train.precision import Precision
from sce_video.train.step import pretrain_step

_MOST_VIDEOS_ON_CPU = 8


def find_demand(subject: Subject, *, seconds: float) -> tuple[Demand | None, list[Finding]]:
    """The demand of the given run; else measured on the config's device; else None."""
    cfg = subject.cfg
    if subject.demand:
        return subject.demand, training_step(subject.demand, "")
    try:
        device = choose_device(cfg)
    except ConfigError as error:
        findings = training_step(None, "no GPU here")
        return None, [*findings, refusal("device", error)] if subject.config_file else findings
    measure = partial(measured_demand, cfg, device, seconds=seconds)
    batch, parts = cfg.TRAIN.GLOBAL_BATCH_SIZE, cfg.TRAIN.ACCUMULATION_STEPS
    if device.type == "cuda":
        demand, fitting = in_parts_that_fit(measure, global_batch_size=batch, given_parts=parts)
        fits = batch_fits(batch, given_parts=parts, fitting_parts=fitting)
        return demand, [*fits, *training_step(demand, "the batch does not fit")]
    if subject.config_file:  # small parts: one whole step may take longer than `seconds`
        slow = measure(min(batch // parts, _MOST_VIDEOS_ON_CPU))
        return slow, training_step(slow, "")
    return None, training_step(None, "RUN.DEVICE is cpu" if torch.cuda.is_available() else "no GPU here")


def made_up_step(cfg: CfgNode, device: torch.device, part_size: int) -> "partial[Tensor]":
    """An optimiser step of pretraining on one part of made-up videos, which returns its loss."""
    views = build_views(cfg)
    model = to_device(cfg, build_method(cfg, steps_per_epoch=1), device).train()
    return partial(
        pretrain_step,
        [made_up_batch(views, num_videos=part_size)],
        build_schedules(cfg, 1, model).at(0),
        replica=model,
        optimizer=build_optimizer(cfg, model),
        precision=Precision(cfg.TRAIN.PRECISION, device),
        make_views=partial(make_views, specs=views, device=device),
    )


def measured_demand(cfg: CfgNode, device: torch.device, part_size: int, *, seconds: float) -> Demand:
    """Measured on steps of one part each, from uint8 clips in memory to updated weights."""
    step, num_views = made_up_step(cfg, device, part_size), len(build_views(cfg))
    is_on_cpu = device.type == "cpu"
    rate = clips_per_second(step, num_clips=part_size * num_views, seconds=seconds, counts_slow_first=is_on_cpu)
    where = f" on the CPU with {torch.get_num_threads()} threads" if is_on_cpu else ""
    what = f"{cfg.MODEL.BACKBONE}, {part_size} made-up videos at a time, {cfg.TRAIN.PRECISION}"
    return Demand(rate, f"measured{where}: {what}")
