"""R3D-18 of the SCE paper: a ResNet-18 with some temporal kernels of 3, of pytorchvideo's pieces."""

import warnings
from collections import OrderedDict

import torch
from torch import nn

from sce_video.models.base import NetworkInput
from sce_video.models.pooled import PooledBackbone

# Per stage: width, temporal kernel of a block's first convolution, spatial stride.
_STAGES = ((64, 1, 1), (128, 1, 2), (256, 3, 2), (512, 3, 2))
_BLOCKS_PER_STAGE = 2


def r3d18_sce(input: NetworkInput) -> PooledBackbone:
    """R3D-18 of the SCE paper (arXiv:2212.11187), 512 features; names `blocks.N.*` as in pytorchvideo.

    The stem sees single frames, 1x7x7; the temporal kernel of a block's first convolution is 1, 1, 3, 3 in the four
    stages, that of its second is 1; no stage has a temporal stride. torchvision's `r3d_18` has 3x3x3 everywhere.
    Convolutions are drawn by fan-out (MSRA); the last batch norm of every residual block has weight 0.
    """
    with warnings.catch_warnings():  # fvcore, which it imports, uses deprecated torch.jit.script
        warnings.simplefilter("ignore", FutureWarning)
        from pytorchvideo.models.stem import create_res_basic_stem
        from pytorchvideo.models.weight_init import init_net_weights

    width_in = _STAGES[0][0]
    stem = create_res_basic_stem(
        in_channels=3, out_channels=width_in, conv_kernel_size=(1, 7, 7), conv_padding=(0, 3, 3)
    )
    blocks = nn.Sequential(stem)
    for width, frames, stride in _STAGES:
        blocks.append(_stage(width_in, width, frames=frames, stride=stride))
        width_in = width
    init_net_weights(blocks)
    return PooledBackbone({"blocks": blocks}, feature_dim=width_in, input=input)


def _stage(width_in: int, width: int, *, frames: int, stride: int) -> nn.Module:
    from pytorchvideo.models.resnet import ResStage

    first = _residual_block(width_in, width, frames=frames, stride=stride)
    others = (_residual_block(width, width, frames=frames, stride=1) for _ in range(_BLOCKS_PER_STAGE - 1))
    stage: nn.Module = ResStage(nn.ModuleList([first, *others]))
    return stage


def _residual_block(width_in: int, width: int, *, frames: int, stride: int) -> nn.Module:
    """Two convolutions, the first over `frames` frames and with the stride; a third on the shortcut of a new shape."""
    from pytorchvideo.models.resnet import ResBlock

    strides, changes = (1, stride, stride), width_in != width or stride != 1
    norm_b = nn.BatchNorm3d(width)
    norm_b.block_final_bn = True  # type: ignore[assignment]  # pytorchvideo starts such a norm with weight 0
    branch2 = OrderedDict(
        conv_a=nn.Conv3d(width_in, width, (frames, 3, 3), strides, (frames // 2, 1, 1), bias=False),
        norm_a=nn.BatchNorm3d(width),
        act_a=nn.ReLU(),
        conv_b=nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1), bias=False),
        norm_b=norm_b,
    )
    block: nn.Module = ResBlock(
        branch1_conv=nn.Conv3d(width_in, width, 1, strides, bias=False) if changes else None,
        branch1_norm=nn.BatchNorm3d(width) if changes else None,
        branch2=nn.Sequential(branch2),
        activation=nn.ReLU(),
        branch_fusion=torch.add,
    )
    return block
