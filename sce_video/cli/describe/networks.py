"""The networks of a config on the meta device, without values: parameters and multiplications."""

import torch
from fvcore.common.config import CfgNode
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sce_video.build.method import build_method
from sce_video.build.model import build_backbone, build_classifier
from sce_video.config import changed_config
from sce_video.config.sections.task import TRAINING_TASKS


def meta_model(cfg: CfgNode, *, num_classes: int) -> nn.Module:
    """The method, the classifier, or of an evaluation the backbone; files of weights are not needed."""
    with torch.device("meta"):
        if cfg.TASK == "pretrain":
            return build_method(changed_config(cfg, {"MODEL.WEIGHTS": ""}), steps_per_epoch=1)
        if cfg.TASK not in TRAINING_TASKS:
            return nn.ModuleDict({"backbone": build_backbone(cfg, size_pixels=cfg.EVAL.SIZE_PIXELS)})
        is_linear = cfg.TASK == "linear"
        classifier, _ = build_classifier(
            changed_config(cfg, {"EVAL.CHECKPOINT": ""}),
            num_classes=num_classes,
            dropout=0.0 if is_linear else cfg.MODEL.DROPOUT,
            num_trained_blocks=0 if is_linear else cfg.MODEL.NUM_TRAINED_BLOCKS,
        )
        return classifier


def num_parameters(model: nn.Module) -> dict[str, int]:
    """By part of the model, for those that have any."""
    counted = {name: sum(each.numel() for each in part.parameters()) for name, part in model.named_children()}
    return {name: number for name, number in counted.items() if number}


def gmacs(backbone: nn.Module, *, num_frames: int, size_pixels: int) -> float:
    """10 ** 9 multiply-accumulates of convolutions and matrix products in the forward pass of one view."""
    was_training = backbone.training
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.eval()(torch.empty(1, 3, num_frames, size_pixels, size_pixels, device="meta"))
    backbone.train(was_training)
    return float(counter.get_total_flops() / 2e9)
