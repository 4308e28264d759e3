"""Backbones, their weights and classifiers from the config."""

import json
from collections.abc import Sequence
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.arguments import settings_for
from sce_video.errors import CheckpointError, ConfigError
from sce_video.models.backbones import backbone_function, make_backbone
from sce_video.models.base import Backbone, NetworkInput
from sce_video.models.classifier import Classifier
from sce_video.models.recompute import recompute_activations
from sce_video.models.representation import REPRESENTATIONS, RGB
from sce_video.models.weights import CHECKPOINTS_DIR, BackboneWeights, load_backbone
from sce_video.runtime.checkpoints import CheckpointFolder
from sce_video.runtime.logging import LOGGER

# What evaluation should have in common with training. Sizes usually differ: the protocols train on 112, test on 128.
_SHARED = {
    "CLIP.NUM_FRAMES": "num_frames",
    "CLIP.SECONDS": "seconds",
    "AUG.MEAN": "mean",
    "AUG.STD": "std",
    "AUG.ANTIALIASED_RESIZE": "antialiased_resize",
}


def build_backbone(cfg: CfgNode, *, size_pixels: int) -> Backbone:
    """A randomly initialised backbone; `size_pixels` is that of the views it is trained or evaluated on."""
    views = NetworkInput(
        num_frames=cfg.CLIP.NUM_FRAMES,
        seconds=cfg.CLIP.SECONDS,
        size_pixels=size_pixels,
        mean=tuple(cfg.AUG.MEAN),
        std=tuple(cfg.AUG.STD),
        antialiased_resize=cfg.AUG.ANTIALIASED_RESIZE,
        representation=cfg.MODEL.REPRESENTATION,
    )
    name = cfg.MODEL.BACKBONE
    return make_backbone(name, input=views, **settings_for(backbone_function(name), cfg.MODEL))


def build_evaluated_backbone(cfg: CfgNode, *, size_pixels: int) -> tuple[Backbone, str]:
    """The backbone with the weights of EVAL.CHECKPOINT, or random ones, and a description of the weights."""
    name, backbone = cfg.MODEL.BACKBONE, build_backbone(cfg, size_pixels=size_pixels)
    if not cfg.EVAL.CHECKPOINT:
        return backbone, f"{name}, random initialisation"
    return backbone, _in_words(cfg, _load_weights(cfg, backbone, key="EVAL.CHECKPOINT", path=cfg.EVAL.CHECKPOINT))


def build_pretrained_backbone(cfg: CfgNode) -> Backbone:
    """The backbone that pretraining starts from, with the weights of MODEL.WEIGHTS or random ones.

    When a run is resumed, weights and batch-norm numbers are those of its checkpoint: the file is not needed again.
    """
    backbone = build_backbone(cfg, size_pixels=cfg.CLIP.SIZE_PIXELS)
    if not cfg.MODEL.WEIGHTS:
        return backbone
    own = Path(cfg.RUN.OUTPUT_DIR)
    if CheckpointFolder(own / CHECKPOINTS_DIR, num_kept=1).steps():
        load_backbone(backbone, own, name=cfg.MODEL.BACKBONE)
        return backbone
    weights = _load_weights(cfg, backbone, key="MODEL.WEIGHTS", path=cfg.MODEL.WEIGHTS, converts_rgb=True)
    LOGGER.info(
        "pretraining starts from all %d tensors of %s; tensors of other parts in the file, left over: %d",
        *(len(backbone.state_dict()), _in_words(cfg, weights), weights.num_others),
    )
    return backbone


def _load_weights(
    cfg: CfgNode, backbone: Backbone, *, key: str, path: str, converts_rgb: bool = False
) -> BackboneWeights:
    """Load the weights of a file, inflated if MODEL.INFLATION says so; for `converts_rgb` see `load_backbone`."""
    name, inflation = cfg.MODEL.BACKBONE, cfg.MODEL.INFLATION
    try:
        weights = load_backbone(backbone, Path(path), name=name, inflation=inflation, converts_rgb=converts_rgb)
    except CheckpointError as error:
        raise CheckpointError(f"{key}: {error}") from error
    _warn_of_other_views(weights, backbone.input)
    if weights.representation != cfg.MODEL.REPRESENTATION:
        seen = REPRESENTATIONS[cfg.MODEL.REPRESENTATION].words
        LOGGER.warning(
            "%s was trained on %s; this run's network sees %s", weights.source, REPRESENTATIONS[RGB].words, seen
        )
    return weights


def _in_words(cfg: CfgNode, weights: BackboneWeights) -> str:
    """Description of loaded weights."""
    name, inflation = cfg.MODEL.BACKBONE, cfg.MODEL.INFLATION
    origin = "" if inflation == "none" else f" inflated ({inflation}) from {weights.backbone}"
    return f"{name}{origin} after {weights.step} steps, {weights.source}"


def _warn_of_other_views(weights: BackboneWeights, current: NetworkInput) -> None:
    if weights.input is None:
        LOGGER.warning("%s does not record what clips it was trained on", weights.source)
        return
    different = [key for key, name in _SHARED.items() if getattr(weights.input, name) != getattr(current, name)]
    if different:
        before, now = _settings(weights.input, different), _settings(current, different)
        LOGGER.warning("%s was trained with %s; this run has %s", weights.source, before, now)


def _settings(views: NetworkInput, keys: Sequence[str]) -> str:
    return ", ".join(f"{key} {json.dumps(getattr(views, _SHARED[key]))}" for key in keys)


def build_classifier(
    cfg: CfgNode, *, num_classes: int, dropout: float, num_trained_blocks: int
) -> tuple[Classifier, str]:
    """A classifier on the backbone of `build_evaluated_backbone`, and the description of its weights.

    Args:
        num_trained_blocks: how many of the backbone's last blocks are trained; -1 is all.
    """
    backbone, weights = build_evaluated_backbone(cfg, size_pixels=cfg.CLIP.SIZE_PIXELS)
    num_blocks = len(backbone.blocks_in_order())
    if num_trained_blocks > num_blocks:
        raise ConfigError(
            f"MODEL.NUM_TRAINED_BLOCKS is {num_trained_blocks}; {cfg.MODEL.BACKBONE} has {num_blocks} blocks "
            "(-1 trains all)"
        )
    num_trained = num_blocks if num_trained_blocks < 0 else num_trained_blocks
    if num_trained and cfg.TRAIN.RECOMPUTES_ACTIVATIONS:
        recompute_activations(backbone)
    return Classifier(backbone, num_classes=num_classes, dropout=dropout, num_trained_blocks=num_trained), weights
