"""X3D of pytorchvideo for clips of any length."""

import warnings

from torch import nn

from sce_video.models.base import NetworkInput
from sce_video.models.pooled import PooledBackbone


def x3d_m(input: NetworkInput) -> PooledBackbone:
    """pytorchvideo's X3D-M (arXiv:2004.04730) without its classifier, 2,048 features; names `blocks.N.*`.

    X3D-S is the same network on smaller views: 13 frames of 160 pixels (in evaluation 182), X3D-M on 16 of 224 (256).
    The features are those that the classifier sees, after the layer of 2,048 units; pytorchvideo averages over windows
    of the size of its views before that layer, here the mean is taken over all frames and pixels.
    """
    with warnings.catch_warnings():  # fvcore, which it imports, uses deprecated torch.jit.script
        warnings.simplefilter("ignore", FutureWarning)
        from pytorchvideo.models.x3d import create_x3d

    blocks = create_x3d(input_clip_length=16, input_crop_size=224).blocks
    head = blocks[-1]
    head.pool.pool = nn.AdaptiveAvgPool3d(1)
    head.dropout = head.proj = head.activation = head.output_pool = None
    feature_dim = head.pool.post_conv.out_channels
    return PooledBackbone({"blocks": nn.Sequential(*blocks)}, feature_dim=feature_dim, input=input)
