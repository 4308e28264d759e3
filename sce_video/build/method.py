"""The pretraining method from the config."""

from collections.abc import Callable

from fvcore.common.config import CfgNode
from torch import nn

from sce_video.methods.base import Method, Scheduled
from sce_video.methods.sce import SCE
from sce_video.models.backbones import make_backbone
from sce_video.models.heads import mlp
from sce_video.optim.schedules import EMAMomentum, Ramp


def build_method(cfg: CfgNode, *, steps_per_epoch: int) -> Method:
    return METHODS[cfg.METHOD.NAME](cfg, steps_per_epoch)


def build_sce(cfg: CfgNode, steps_per_epoch: int) -> SCE:
    backbone = make_backbone(cfg.MODEL.BACKBONE)
    embedding_dim, hidden_dim = cfg.MODEL.PROJECTOR_DIMS[-1], cfg.MODEL.PREDICTOR_HIDDEN_DIM
    predictor = mlp([embedding_dim, hidden_dim, embedding_dim], last_norm=False) if hidden_dim else nn.Identity()
    return SCE(
        backbone=backbone,
        projector=mlp([backbone.feature_dim, *cfg.MODEL.PROJECTOR_DIMS], last_norm=True),
        predictor=predictor,
        embedding_dim=embedding_dim,
        queue_length=cfg.METHOD.QUEUE_LENGTH,
        in_batch_keys=cfg.METHOD.IN_BATCH_KEYS,
        scheduled={
            "coeff": _ramp(cfg, "COEFF", steps_per_epoch),
            "temperature": _ramp(cfg, "TEMPERATURE", steps_per_epoch),
            "target_temperature": _ramp(cfg, "TARGET_TEMPERATURE", steps_per_epoch),
            "ema_momentum": EMAMomentum(cfg.METHOD.EMA_MOMENTUM),
        },
    )


def _ramp(cfg: CfgNode, name: str, steps_per_epoch: int) -> Scheduled:
    method = cfg.METHOD
    return Ramp(
        start=method[f"{name}_START"],
        end=method[name],
        ramp_steps=method[f"{name}_WARMUP_EPOCHS"] * steps_per_epoch,
        shape=method[f"{name}_WARMUP_SHAPE"],
    )


METHODS: dict[str, Callable[[CfgNode, int], Method]] = {"sce": build_sce}
