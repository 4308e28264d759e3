"""Optimiser, schedules and plan from the config."""

from typing import Any

from fvcore.common.config import CfgNode
from torch import nn
from torch.optim import Optimizer

from sce_video.arguments import keyword_names, settings_for
from sce_video.methods.base import Method
from sce_video.models.classifier import Classifier
from sce_video.optim.groups import decay_groups, layer_groups
from sce_video.optim.schedules import LearningRate
from sce_video.optim.table import OPTIMIZERS
from sce_video.train.plan import Plan, Schedules


def build_optimizer(cfg: CfgNode, model: nn.Module) -> Optimizer:
    """The optimiser, without a learning rate: the training loop sets it at every step."""
    groups: list[Any] = (
        [parameter for parameter in model.parameters() if parameter.requires_grad]
        if "weight_decay" in keyword_names(OPTIMIZERS[cfg.OPTIM.NAME])
        else decay_groups(model, **_decay(cfg))
    )
    return _optimizer(cfg, groups)


def build_finetune_optimizer(cfg: CfgNode, classifier: Classifier) -> Optimizer:
    """Like `build_optimizer`, with layer-wise learning rates."""
    groups = layer_groups(classifier.layers, network=classifier, layer_decay=cfg.OPTIM.LAYER_DECAY, **_decay(cfg))
    return _optimizer(cfg, [group for group in groups if group["params"]])


def _decay(cfg: CfgNode) -> dict[str, Any]:
    return {
        "weight_decay": cfg.OPTIM.WEIGHT_DECAY,
        "decays_norms_and_biases": cfg.OPTIM.DECAYS_NORMS_AND_BIASES,
    }


def _optimizer(cfg: CfgNode, groups: list[Any]) -> Optimizer:
    optimizer = OPTIMIZERS[cfg.OPTIM.NAME]
    return optimizer(groups, **settings_for(optimizer, cfg.OPTIM))


def build_schedules(cfg: CfgNode, steps_per_epoch: int, method: Method | None = None) -> Schedules:
    """The schedules of the learning rate and of the method's scalars."""
    scale = cfg.TRAIN.GLOBAL_BATCH_SIZE / 256
    lr = LearningRate(
        warmup_steps=cfg.OPTIM.WARMUP_EPOCHS * steps_per_epoch,
        peak=cfg.OPTIM.BASE_LR * scale,
        final=cfg.OPTIM.FINAL_LR * scale,
        drop_steps=tuple(epoch * steps_per_epoch for epoch in cfg.OPTIM.DROP_EPOCHS if epoch),
    )
    return Schedules(cfg.TRAIN.NUM_EPOCHS * steps_per_epoch, lr, method.scheduled if method else {})


def build_plan(cfg: CfgNode, steps_per_epoch: int) -> Plan:
    return Plan(
        num_steps=cfg.TRAIN.NUM_EPOCHS * steps_per_epoch,
        steps_per_epoch=steps_per_epoch,
        log_every_steps=cfg.TRAIN.LOG_EVERY_STEPS,
        checkpoint_every_steps=cfg.TRAIN.CHECKPOINT_EVERY_STEPS,
        checkpoint_every_epochs=cfg.TRAIN.CHECKPOINT_EVERY_EPOCHS,
        stop_at_step=cfg.TRAIN.STOP_AT_STEP,
    )
