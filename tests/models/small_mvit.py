"""Small MViTs of torchvision's pieces, as its functions make large ones."""

from functools import partial

import torch
from torch import nn
from torchvision.models.video.mvit import MSBlockConfig, MViT

from sce_video.models.base import AcceptedViews
from sce_video.models.mvit import MViTBackbone
from tests.models.inputs import INPUT

FRAMES, PIXELS = 4, 32
_STRIDES = ([1, 1, 1], [1, 2, 2], [1, 1, 1])


def small_network(version: int) -> MViT:
    """Three blocks; version 2 has relative positions, pooled residuals and projections after the attention."""
    widths = (8, 8, 16, 16) if version == 2 else (8, 16, 16, 16)
    blocks = [
        MSBlockConfig(2, width, next_width, [3, 3, 3], [3, 3, 3], stride, [1, 2, 2])
        for width, next_width, stride in zip(widths, widths[1:], _STRIDES, strict=False)
    ]
    is_second = version == 2
    make = partial(MViT, (PIXELS, PIXELS), FRAMES, blocks, residual_with_cls_embed=False, num_classes=3)
    network = make(residual_pool=is_second, rel_pos_embed=is_second, proj_after_attn=is_second)
    for parameter in network.parameters():  # fresh biases and norms would hide errors
        nn.init.normal_(parameter, std=0.2)
    return network


def small_mvit(version: int) -> MViTBackbone:
    torch.manual_seed(0)
    accepted = AcceptedViews(num_frames=FRAMES, size_pixels=PIXELS)
    return MViTBackbone(small_network(version), input=INPUT, accepted=accepted)
