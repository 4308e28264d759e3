"""Optimiser, schedules and plan from the config."""

from collections.abc import Callable

from fvcore.common.config import CfgNode
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from sce_video.optim.groups import decay_groups
from sce_video.optim.lars import LARS
from sce_video.train.plan import Plan, Ramp, Schedules


def build_optimizer(cfg: CfgNode, model: nn.Module) -> Optimizer:
    """The optimiser; its learning rate is set anew at every step."""
    return OPTIMIZERS[cfg.OPTIM.NAME](cfg, model)


def _lars(cfg: CfgNode, model: nn.Module) -> Optimizer:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return LARS(trained, lr=0.0, sgd_momentum=cfg.OPTIM.SGD_MOMENTUM, weight_decay=cfg.OPTIM.WEIGHT_DECAY)


def _sgd(cfg: CfgNode, model: nn.Module) -> Optimizer:
    groups = decay_groups(model, weight_decay=cfg.OPTIM.WEIGHT_DECAY)
    return SGD(groups, lr=0.0, momentum=cfg.OPTIM.SGD_MOMENTUM)


def _adamw(cfg: CfgNode, model: nn.Module) -> Optimizer:
    return AdamW(decay_groups(model, weight_decay=cfg.OPTIM.WEIGHT_DECAY), lr=0.0)


OPTIMIZERS: dict[str, Callable[[CfgNode, nn.Module], Optimizer]] = {"lars": _lars, "sgd": _sgd, "adamw": _adamw}


def build_schedules(cfg: CfgNode, steps_per_epoch: int) -> Schedules:
    def ramp(name: str) -> Ramp:
        num_epochs = cfg.METHOD[f"{name}_WARMUP_EPOCHS"]
        return Ramp(cfg.METHOD[f"{name}_START"], cfg.METHOD[name], num_epochs * steps_per_epoch)

    return Schedules(
        num_steps=cfg.TRAIN.NUM_EPOCHS * steps_per_epoch,
        warmup_steps=cfg.OPTIM.WARMUP_EPOCHS * steps_per_epoch,
        peak_lr=cfg.OPTIM.BASE_LR * cfg.TRAIN.GLOBAL_BATCH_SIZE / 256,
        ema_momentum_start=cfg.METHOD.EMA_MOMENTUM,
        coeff=ramp("COEFF"),
        temperature=ramp("TEMPERATURE"),
        target_temperature=ramp("TARGET_TEMPERATURE"),
    )


def build_plan(cfg: CfgNode, steps_per_epoch: int) -> Plan:
    return Plan(
        num_steps=cfg.TRAIN.NUM_EPOCHS * steps_per_epoch,
        steps_per_epoch=steps_per_epoch,
        log_every_steps=cfg.TRAIN.LOG_EVERY_STEPS,
        checkpoint_every_steps=cfg.TRAIN.CHECKPOINT_EVERY_STEPS,
        checkpoint_every_epochs=cfg.TRAIN.CHECKPOINT_EVERY_EPOCHS,
        stop_at_step=cfg.TRAIN.STOP_AT_STEP,
    )
