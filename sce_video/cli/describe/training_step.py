"""A config's training step on fake tensors, with views but without data, for its peak memory."""

from functools import partial

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from sce_video.augment.batch import TrainBatch
from sce_video.augment.recipes import ViewSpec
from sce_video.build.optim import build_finetune_optimizer, build_optimizer, build_schedules
from sce_video.errors import ConfigError
from sce_video.methods.base import Method
from sce_video.models.classifier import Classifier
from sce_video.train.memory import fake_tensors, make_fake, peak_bytes
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.step import Supervision, finetune_step, pretrain_step

_CPU = torch.device("cpu")  # of fake tensors; those of a GPU have no backward pass where there is none


def peak_memory_bytes(cfg: CfgNode, model: nn.Module, views: list[ViewSpec], *, num_videos: int, num_gpus: int) -> int:
    """Peak memory of a training step on each GPU.

    Args:
        model: on the meta device; its parameters are replaced.
        num_videos: of each part on each rank.
    Raises:
        ConfigError: activations are recomputed in half precision.
    """
    if cfg.TRAIN.RECOMPUTES_ACTIVATIONS and cfg.TRAIN.PRECISION != "fp32":
        raise ConfigError(  # what is recomputed in the backward pass would have the types of autocast on a CPU
            f"TRAIN.RECOMPUTES_ACTIVATIONS is True: its memory cannot be estimated in {cfg.TRAIN.PRECISION}; describe "
            "it with TRAIN.PRECISION fp32, or without recomputing"
        )
    # bf16 has the sizes of fp16, without the loss scaler, which needs values.
    precision = Precision("fp32" if cfg.TRAIN.PRECISION == "fp32" else "bf16", _CPU)
    with fake_tensors():
        part = TrainBatch(list(range(num_videos)), [], [], torch.ones(num_videos, dtype=torch.bool))
        make_fake(model.train())
        step, optimizer = _step(cfg, model)
        run = partial(
            step, [part], replica=model, optimizer=optimizer, precision=precision, make_views=partial(_views, views)
        )
        peak = peak_bytes(run, model=model, optimizer=optimizer)
    # One part was simulated, on one GPU. In later parts and in the buffers of DDP gradients exist from the beginning.
    held = sum(each.numel() * each.element_size() for each in model.parameters() if each.requires_grad)
    return peak + (held if num_gpus > 1 or cfg.TRAIN.ACCUMULATION_STEPS > 1 else 0)


def _views(specs: list[ViewSpec], part: TrainBatch) -> list[Tensor]:
    return [torch.empty(len(part.videos), 3, each.num_frames, each.size_pixels, each.size_pixels) for each in specs]


def _step(cfg: CfgNode, model: nn.Module) -> tuple["partial[Tensor]", torch.optim.Optimizer]:
    if isinstance(model, Method):
        rates = build_schedules(cfg, 1, model).at(0)
        return partial(pretrain_step, rates=rates), build_optimizer(cfg, model)
    assert isinstance(model, Classifier)
    num_videos, num_classes = cfg.TRAIN.GLOBAL_BATCH_SIZE, model.linear.out_features
    supervision = Supervision(
        labels=torch.zeros(num_videos, dtype=torch.int64),
        num_classes=num_classes,
        label_smoothing=cfg.TRAIN.LABEL_SMOOTHING,
        mixup_alpha=cfg.TRAIN.MIXUP_ALPHA,
    )
    step = partial(finetune_step, rates=Rates(0.0), step=0, seed=0, supervision=supervision)
    return step, build_finetune_optimizer(cfg, model)
