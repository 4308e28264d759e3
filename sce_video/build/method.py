"""The pretraining method from the config."""

from collections.abc import Callable

from fvcore.common.config import CfgNode
from torch import nn

from sce_video.methods.base import Method, Scheduled
from sce_video.methods.byol import BYOL
from sce_video.methods.moco_v3 import MoCoV3
from sce_video.methods.sce import SCE
from sce_video.methods.simclr import SimCLR
from sce_video.models.backbones import make_backbone
from sce_video.models.heads import mlp
from sce_video.models.pooled import PooledBackbone
from sce_video.optim.schedules import EMAMomentum, Ramp


def build_method(cfg: CfgNode, *, steps_per_epoch: int) -> Method:
    return METHODS[cfg.METHOD.NAME](cfg, steps_per_epoch)


def build_sce(cfg: CfgNode, steps_per_epoch: int) -> SCE:
    return SCE(
        **_branches(cfg),
        embedding_dim=cfg.MODEL.PROJECTOR_DIMS[-1],
        queue_length=cfg.METHOD.QUEUE_LENGTH,
        in_batch_keys=cfg.METHOD.IN_BATCH_KEYS,
        scheduled={
            "coeff": _ramp(cfg, "COEFF", steps_per_epoch),
            "temperature": _ramp(cfg, "TEMPERATURE", steps_per_epoch),
            "target_temperature": _ramp(cfg, "TARGET_TEMPERATURE", steps_per_epoch),
            "ema_momentum": EMAMomentum(cfg.METHOD.EMA_MOMENTUM),
        },
    )


def build_moco_v3(cfg: CfgNode, steps_per_epoch: int) -> MoCoV3:
    temperature, momentum = _ramp(cfg, "TEMPERATURE", steps_per_epoch), EMAMomentum(cfg.METHOD.EMA_MOMENTUM)
    return MoCoV3(**_branches(cfg), scheduled={"temperature": temperature, "ema_momentum": momentum})


def build_byol(cfg: CfgNode, _: int) -> BYOL:
    return BYOL(**_branches(cfg), scheduled={"ema_momentum": EMAMomentum(cfg.METHOD.EMA_MOMENTUM)})


def build_simclr(cfg: CfgNode, steps_per_epoch: int) -> SimCLR:
    backbone = make_backbone(cfg.MODEL.BACKBONE)
    temperature = _ramp(cfg, "TEMPERATURE", steps_per_epoch)
    return SimCLR(backbone=backbone, projector=_projector(cfg, backbone), scheduled={"temperature": temperature})


def _branches(cfg: CfgNode) -> dict[str, nn.Module]:
    """What a method with a momentum branch is made of, in the order in which the first weights are drawn."""
    backbone = make_backbone(cfg.MODEL.BACKBONE)
    embedding_dim, hidden_dim = cfg.MODEL.PROJECTOR_DIMS[-1], cfg.MODEL.PREDICTOR_HIDDEN_DIM
    predictor = mlp([embedding_dim, hidden_dim, embedding_dim], last_norm=False) if hidden_dim else nn.Identity()
    return {"backbone": backbone, "predictor": predictor, "projector": _projector(cfg, backbone)}


def _projector(cfg: CfgNode, backbone: PooledBackbone) -> nn.Module:
    return mlp([backbone.feature_dim, *cfg.MODEL.PROJECTOR_DIMS], last_norm=True)


def _ramp(cfg: CfgNode, name: str, steps_per_epoch: int) -> Scheduled:
    method = cfg.METHOD
    return Ramp(
        start=method[f"{name}_START"],
        end=method[name],
        ramp_steps=method[f"{name}_WARMUP_EPOCHS"] * steps_per_epoch,
        shape=method[f"{name}_WARMUP_SHAPE"],
    )


# (config, steps of an epoch) -> method
METHODS: dict[str, Callable[[CfgNode, int], Method]] = {
    "sce": build_sce,
    "moco_v3": build_moco_v3,
    "byol": build_byol,
    "simclr": build_simclr,
}
