"""Slow pathway of SlowFast, the R3D-50 of the SCE paper."""

import warnings

from torch import nn

from sce_video.models.base import NetworkInput
from sce_video.models.pooled import PooledBackbone


def slow_r50(input: NetworkInput) -> PooledBackbone:
    """pytorchvideo's slow ResNet-50 (arXiv:1812.03982) without its head, 2,048 features; names `blocks.N.*`.

    The stem sees single frames, 1x7x7; the temporal kernel of a block's first convolution is 1, 1, 3, 3 in the
    four stages; no stage has a temporal stride. pytorchvideo initialises convolutions by fan-out (MSRA)
    and the last batch norm of every residual block with weight 0, as in the SCE paper.
    """
    with warnings.catch_warnings():  # fvcore, which it imports, uses deprecated torch.jit.script
        warnings.simplefilter("ignore", FutureWarning)
        from pytorchvideo.models.resnet import create_resnet

    net = create_resnet(model_depth=50, stem_conv_kernel_size=(1, 7, 7), head=None)
    feature_dim = net.blocks[-1].res_blocks[-1].branch2.conv_c.out_channels
    return PooledBackbone({"blocks": nn.Sequential(*net.blocks)}, feature_dim=feature_dim, input=input)
