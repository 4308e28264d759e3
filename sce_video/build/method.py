"""The pretraining method from the config."""

from typing import Any

from fvcore.common.config import CfgNode
from torch import nn

from sce_video.arguments import keyword_names, settings_for
from sce_video.build.model import build_pretrained_backbone
from sce_video.engine.cluster.collectives import num_ranks
from sce_video.errors import ConfigError
from sce_video.methods.base import Method, Scheduled
from sce_video.methods.table import METHODS
from sce_video.models.heads import mlp
from sce_video.models.recompute import recompute_activations
from sce_video.models.split_norm import split_batch_norms
from sce_video.optim.schedules import EMA_SHAPES, Ramp, RampToFinal


def build_method(cfg: CfgNode, *, steps_per_epoch: int) -> Method:
    """The method, with the networks, scheduled scalars and settings of METHOD and CLIP that its constructor takes."""
    method = METHODS[cfg.METHOD.NAME]
    built = method(
        **_networks(cfg, keyword_names(method)),
        scheduled={name: _scheduled(cfg, name, steps_per_epoch) for name in method.SCALARS},
        **settings_for(method, cfg.METHOD),
        **settings_for(method, cfg.CLIP),
    )
    if "ema_momentum" in method.SCALARS:
        _split_momentum_norms(built, groups=cfg.MODEL.MOMENTUM_NORM_GROUPS)
    return built


def _split_momentum_norms(method: Method, *, groups: int) -> None:
    if groups == 1:
        return
    if num_ranks() > 1:  # on several GPUs batch norm is synchronised
        raise ConfigError(f"MODEL.MOMENTUM_NORM_GROUPS is {groups}; on {num_ranks()} ranks it must be 1")
    split_batch_norms(method.get_submodule("momentum_backbone"), groups=groups)


def _networks(cfg: CfgNode, names: tuple[str, ...]) -> dict[str, Any]:
    """The networks among `names`, initialised in a fixed order, and the embedding dimension."""
    backbone = build_pretrained_backbone(cfg)
    if cfg.TRAIN.RECOMPUTES_ACTIVATIONS:
        recompute_activations(backbone)
    embedding_dim = cfg.MODEL.PROJECTOR_DIMS[-1]
    networks = {
        "backbone": backbone,
        "predictor": _predictor(cfg, embedding_dim) if "predictor" in names else None,
        "projector": _projector(cfg, backbone.feature_dim),
        "embedding_dim": embedding_dim,
    }
    return {name: each for name, each in networks.items() if name in names}


def _projector(cfg: CfgNode, feature_dim: int) -> nn.Module:
    last_norm = cfg.MODEL.PROJECTOR_ENDS_WITH_NORM
    return mlp([feature_dim, *cfg.MODEL.PROJECTOR_DIMS], last_norm=last_norm, last_bias=not last_norm)


def _predictor(cfg: CfgNode, embedding_dim: int) -> nn.Module:
    hidden_dim = cfg.MODEL.PREDICTOR_HIDDEN_DIM
    return mlp([embedding_dim, hidden_dim, embedding_dim], last_norm=False) if hidden_dim else nn.Identity()


def _scheduled(cfg: CfgNode, name: str, steps_per_epoch: int) -> Scheduled:
    """The schedule of a scalar: over the whole run for the EMA momentum, a ramp at its start for all others."""
    method, key = cfg.METHOD, name.upper()
    if name == "ema_momentum":
        return EMA_SHAPES[method.EMA_SHAPE](method[key])
    warmup = Ramp(
        start=method[f"{key}_START"],
        end=method[key],
        ramp_steps=method[f"{key}_WARMUP_EPOCHS"] * steps_per_epoch,
        shape=method[f"{key}_WARMUP_SHAPE"],
    )
    if name == "coeff" and method.COEFF_FINAL_SHAPE != "constant":
        return RampToFinal(warmup, final=method.COEFF_FINAL, shape=method.COEFF_FINAL_SHAPE)
    return warmup
