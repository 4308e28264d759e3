"""Backbones by MODEL.BACKBONE; keyword-only arguments of a function are settings of MODEL."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sce_video.models.base import AcceptedViews, Backbone, NetworkInput, require_whole_blocks
from sce_video.models.image_resnet import resnet18, resnet34, resnet50
from sce_video.models.mvit import MVIT_VIEWS, mvit_v1_b, mvit_v2_s
from sce_video.models.r2plus1d_50 import r2plus1d_50
from sce_video.models.r3d18_sce import r3d18_sce
from sce_video.models.representation import REPRESENTATIONS, widen_stem
from sce_video.models.s3d import s3d
from sce_video.models.slow import slow_r50
from sce_video.models.timm_network import TIMM_PREFIX, timm_network, timm_views
from sce_video.models.video_resnet import r2plus1d_18, r2plus1d_mini, r3d_18
from sce_video.models.vit import VIT_VIEWS, vit_b, vit_s
from sce_video.models.x3d import x3d_m

BACKBONES: dict[str, Callable[..., Backbone]] = {
    "mvit_v1_b": mvit_v1_b,
    "mvit_v2_s": mvit_v2_s,
    "r2plus1d_18": r2plus1d_18,
    "r2plus1d_50": r2plus1d_50,
    "r2plus1d_mini": r2plus1d_mini,
    "r3d18_sce": r3d18_sce,
    "r3d_18": r3d_18,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "s3d": s3d,
    "slow_r50": slow_r50,
    "vit_b": vit_b,
    "vit_s": vit_s,
    "x3d_m": x3d_m,
}
# Of backbones that do not take views of any number of frames and any side.
_ACCEPTED_VIEWS = {"mvit_v1_b": MVIT_VIEWS, "mvit_v2_s": MVIT_VIEWS, "vit_b": VIT_VIEWS, "vit_s": VIT_VIEWS}


def accepted_views(name: str) -> AcceptedViews:
    """Which views a backbone takes.

    Raises:
        ConfigError: timm has no network of this name, or is not installed.
    """
    if name.startswith(TIMM_PREFIX):
        return timm_views(name.removeprefix(TIMM_PREFIX))
    return _ACCEPTED_VIEWS.get(name, AcceptedViews())


def backbone_function(name: str) -> Callable[..., Backbone]:
    """The function that makes a backbone: a value of BACKBONES or, for `timm/NAME`, of any image network of timm.

    Raises:
        ValueError: it is neither.
    """
    if name.startswith(TIMM_PREFIX):
        return partial(timm_network, timm_name=name.removeprefix(TIMM_PREFIX))
    if name not in BACKBONES:
        raise ValueError(f"backbone is {name!r}; it must be one of {', '.join(BACKBONES)} or {TIMM_PREFIX}NAME")
    return BACKBONES[name]


def make_backbone(name: str, *, input: NetworkInput, **settings: Any) -> Backbone:
    """A freshly initialised backbone for views of `input` (torch's global generator draws the weights).

    Args:
        settings: keyword-only arguments of the backbone's function.
    Raises:
        ValueError: `name` is unknown, a parameter of the backbone is not in exactly one block, or a network without a
            single first convolution is to see frames and differences.
        ConfigError: see `timm_network`.
    """
    backbone = backbone_function(name)(input, **settings)
    widen_stem(backbone, num_channels=REPRESENTATIONS[input.representation].num_channels)
    require_whole_blocks(backbone)
    return backbone
