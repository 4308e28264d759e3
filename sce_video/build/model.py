"""Backbones with their weights, and classifiers on them, from the config."""

from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.errors import CheckpointError, ConfigError
from sce_video.models.backbones import make_backbone
from sce_video.models.classifier import Classifier
from sce_video.models.pooled import PooledBackbone
from sce_video.models.weights import load_backbone
from sce_video.runtime.logging import LOGGER


def build_evaluated_backbone(cfg: CfgNode) -> tuple[PooledBackbone, str]:
    """The backbone with the weights that EVAL.CHECKPOINT names, or at random; and which these are, in words."""
    name = cfg.MODEL.BACKBONE
    backbone = make_backbone(name)
    if not cfg.EVAL.CHECKPOINT:
        return backbone, f"{name}, random initialisation"
    try:
        weights = load_backbone(backbone, Path(cfg.EVAL.CHECKPOINT), name=name)
    except CheckpointError as error:
        raise CheckpointError(f"EVAL.CHECKPOINT: {error}") from error
    network_input = describe_input(cfg)
    if weights.network_input != network_input:
        LOGGER.warning(
            "%s was trained on %s; this evaluates on %s", weights.source, weights.network_input, network_input
        )
    return backbone, f"{name} after {weights.step} steps, {weights.source}"


def build_classifier(
    cfg: CfgNode, *, num_classes: int, dropout: float, num_trained_blocks: int
) -> tuple[Classifier, str]:
    """The backbone as `build_evaluated_backbone` gives it, with a classifier on top; and which weights it has.

    Args:
        num_trained_blocks: of the backbone's last blocks; -1 is all.
    """
    backbone, weights = build_evaluated_backbone(cfg)
    there = len(backbone.blocks_in_order)
    if num_trained_blocks > there:
        raise ConfigError(
            f"MODEL.NUM_TRAINED_BLOCKS is {num_trained_blocks}; {cfg.MODEL.BACKBONE} has {there} blocks (-1 trains all)"
        )
    num_trained = there if num_trained_blocks < 0 else num_trained_blocks
    return Classifier(backbone, num_classes=num_classes, dropout=dropout, num_trained_blocks=num_trained), weights


def describe_input(cfg: CfgNode) -> str:
    """What the network sees of a video, in words; kept with the weights so that evaluation can compare."""
    numbers = (cfg.CLIP.NUM_FRAMES, cfg.CLIP.SECONDS, cfg.AUG.MEAN, cfg.AUG.STD)
    return "{} frames in {} s, mean {}, std {}".format(*numbers)
