"""Training runs, of pretraining and on labels, from the config."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

import torch
from fvcore.common.config import CfgNode
from torch import nn
from torch.optim import Optimizer

from sce_video.build.optim import build_plan
from sce_video.clips.decoders import VideoOpener
from sce_video.data.failures import FailureLog
from sce_video.data.joined import JoinedLists
from sce_video.data.loader import DeviceLoader, TrainLoader
from sce_video.data.videos import ListedVideos
from sce_video.engine.cluster.collectives import num_ranks
from sce_video.models.base import Backbone
from sce_video.models.channels_last import SPEEDS, conv3d_kernels
from sce_video.models.norms import norm_record, synchronised
from sce_video.models.weights import CHECKPOINTS_DIR
from sce_video.runtime.checkpoints import CheckpointFolder
from sce_video.runtime.environment import environment
from sce_video.train.loop import ConfigRecord, Run, TakeStep
from sce_video.train.plan import Schedules
from sce_video.train.precision import Precision
from sce_video.train.probes.base import Probes

Module = TypeVar("Module", bound=nn.Module)
# The rest of a task after everything is built and checked; nothing has been written before.
Work = Callable[[], None]


def to_device(cfg: CfgNode, model: Module, device: torch.device) -> Module:
    """Move a model to the device, in the form of TRAIN.SPEED.

    On several GPUs batch norm is converted to SyncBatchNorm, which has no CPU version.
    """
    model = cast(Module, SPEEDS[cfg.TRAIN.SPEED](model.to(device)))
    if num_ranks() == 1 or device.type != "cuda":
        return model
    return cast(Module, synchronised(model))


def backbone_of(model: nn.Module) -> Backbone:
    """The submodule `backbone` of a method or classifier."""
    return cast(Backbone, model.get_submodule("backbone"))


def build_precision(cfg: CfgNode, model: nn.Module, device: torch.device) -> Precision:
    """The precision of TRAIN.PRECISION, tried on 3D convolutions like the model's."""
    precision = Precision(cfg.TRAIN.PRECISION, device)
    most_frames = max(cfg.CLIP.NUM_FRAMES, cfg.CLIP.LOCAL_NUM_FRAMES)
    precision.require_right_gradients(kernels=conv3d_kernels(model), most_frames=most_frames)
    return precision


def assemble_run(
    cfg: CfgNode,
    lists: Sequence[ListedVideos],
    opener: VideoOpener,
    loader: TrainLoader | DeviceLoader,
    config: ConfigRecord,
    *,
    model: nn.Module,
    optimizer: Optimizer,
    precision: Precision,
    take_step: TakeStep,
    schedules: Schedules,
    probes: Probes | None = None,
) -> Run:
    """A run on the videos of one list, or of two with the images of joint pretraining."""
    output_dir, backbone = Path(cfg.RUN.OUTPUT_DIR), backbone_of(model)
    listed, (videos, *images) = JoinedLists(lists), lists
    return Run(
        task=cfg.TASK,
        model=model,
        optimizer=optimizer,
        precision=precision,
        loader=loader,
        take_step=take_step,
        failures=FailureLog(listed, max_failed_share=cfg.DATA.MAX_FAILED_SHARE, workers=loader.workers),
        name_video=listed.name,
        schedules=schedules,
        probes=probes or Probes(),
        plan=build_plan(cfg, loader.steps_per_epoch),
        checkpoints=CheckpointFolder(output_dir / CHECKPOINTS_DIR, num_kept=cfg.TRAIN.NUM_CHECKPOINTS_KEPT),
        output_dir=output_dir,
        record={
            "backbone": cfg.MODEL.BACKBONE,
            "network_input": str(backbone.input),
            "batch_norm": norm_record(backbone),
            "config": config.text,
            "videos": videos.digest(),
            "images": images[0].digest() if images else "",
            "labels": "" if cfg.TASK == "pretrain" else videos.labels_digest(),
            **opener.describe(),
            "environment": environment(),
        },
        config=config,
    )
