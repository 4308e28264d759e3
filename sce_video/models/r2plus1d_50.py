"""R(2+1)D-50 of pytorchvideo."""

import warnings

from torch import nn

from sce_video.models.base import NetworkInput
from sce_video.models.pooled import PooledBackbone


def r2plus1d_50(input: NetworkInput) -> PooledBackbone:
    """pytorchvideo's R(2+1)D ResNet-50 (arXiv:1711.11248) without its head, 2,048 features; names `blocks.N.*`.

    Stages 3 and 4 halve T. Convolutions are drawn by fan-out (MSRA), the last batch norm of every residual block has
    weight 0.
    """
    with warnings.catch_warnings():  # fvcore, which it imports, uses deprecated torch.jit.script
        warnings.simplefilter("ignore", FutureWarning)
        from pytorchvideo.models.r2plus1d import create_r2plus1d

    *blocks, _ = create_r2plus1d(model_depth=50).blocks
    feature_dim = blocks[-1].res_blocks[-1].branch2.conv_c.out_channels
    return PooledBackbone({"blocks": nn.Sequential(*blocks)}, feature_dim=feature_dim, input=input)
