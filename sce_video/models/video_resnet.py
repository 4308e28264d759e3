"""Video ResNets of torchvision's blocks: R(2+1)D-18, R3D-18 and a small R(2+1)D.

torchvision is imported where a network is built, as the import takes three seconds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from sce_video.models.base import NetworkInput
from sce_video.models.pooled import PooledBackbone

if TYPE_CHECKING:
    from torchvision.models.video import VideoResNet


def r2plus1d_18(input: NetworkInput) -> PooledBackbone:
    """torchvision's R(2+1)D-18 (arXiv:1711.11248), 512 features; names `stem.*`, `layer1.*` .. `layer4.*`."""
    from torchvision.models import video

    return _without_classifier(video.r2plus1d_18(weights=None), input)


def r3d_18(input: NetworkInput) -> PooledBackbone:
    """torchvision's R3D-18 (arXiv:1711.11248), 512 features; names `stem.*`, `layer1.*` .. `layer4.*`.

    This is not the R3D-18 of the SCE paper (`r3d18_sce`), which has temporal kernels of 1 in the stem and most blocks.
    """
    from torchvision.models import video

    return _without_classifier(video.r3d_18(weights=None), input)


def r2plus1d_mini(input: NetworkInput) -> PooledBackbone:
    """A small R(2+1)D, 128 features, about 0.8 M parameters: for demos and tests on two CPU cores."""
    return small_r2plus1d(widths=(16, 32, 64, 128), stem_width=12, input=input)


def small_r2plus1d(*, widths: Sequence[int], stem_width: int, input: NetworkInput) -> PooledBackbone:
    """An R(2+1)D with one block per stage, named like R(2+1)D-18.

    The stem halves H and W; every stage after the first halves T, H and W (rounding up).

    Args:
        widths: channels of each stage; the last one is the feature dimension.
        stem_width: channels between the spatial and the temporal half of the stem (45 in R(2+1)D-18).
    """
    parts: dict[str, nn.Module] = {"stem": _stem(stem_width, widths[0])}
    for index, width in enumerate(widths):
        parts[f"layer{index + 1}"] = _stage(widths[max(index - 1, 0)], width, stride=1 if index == 0 else 2)
    backbone = PooledBackbone(parts, feature_dim=widths[-1], input=input)
    # As torchvision initialises its VideoResNets; batch norms keep torch's weight 1, bias 0.
    for module in backbone.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return backbone


def _without_classifier(model: "VideoResNet", input: NetworkInput) -> PooledBackbone:
    names = ("stem", "layer1", "layer2", "layer3", "layer4")
    parts = {name: getattr(model, name) for name in names}
    return PooledBackbone(parts, feature_dim=model.fc.in_features, input=input)


def _stem(middle: int, width: int) -> nn.Sequential:
    """R(2+1)D's stem with variable widths: 7x7 over pixels with stride 2, then 3 over frames."""
    return nn.Sequential(
        nn.Conv3d(3, middle, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, width, (3, 1, 1), padding=(1, 0, 0), bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
    )


def _stage(width_in: int, width: int, *, stride: int) -> nn.Sequential:
    """One residual block, with a strided 1x1x1 convolution on the shortcut if the shape changes."""
    from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D

    shortcut: nn.Module | None = None
    if stride != 1 or width_in != width:
        shortcut = nn.Sequential(
            nn.Conv3d(width_in, width, kernel_size=1, stride=stride, bias=False), nn.BatchNorm3d(width)
        )
    return nn.Sequential(BasicBlock(width_in, width, Conv2Plus1D, stride, shortcut))
