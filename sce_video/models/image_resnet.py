"""torchvision's ResNets for images, applied to every frame."""

from typing import TYPE_CHECKING

from torch import nn

from sce_video.models.base import NetworkInput
from sce_video.models.framewise import Framewise

if TYPE_CHECKING:
    from torchvision.models import ResNet


def resnet18(input: NetworkInput) -> Framewise:
    """torchvision's ResNet-18 (arXiv:1512.03385), 512 features; names `network.*`."""
    from torchvision import models  # three seconds of every program's start

    return _without_classifier(models.resnet18(weights=None), input)


def resnet50(input: NetworkInput) -> Framewise:
    """torchvision's ResNet-50 (arXiv:1512.03385), 2,048 features; names `network.*`."""
    from torchvision import models

    return _without_classifier(models.resnet50(weights=None), input)


def _without_classifier(network: "ResNet", input: NetworkInput) -> Framewise:
    feature_dim = network.fc.in_features
    network.fc = nn.Identity()
    return Framewise(network, feature_dim=feature_dim, input=input, blocks=_stages)


def _stages(network: "ResNet") -> list[nn.Module]:
    stem = nn.Sequential(network.conv1, network.bn1)
    return [stem, network.layer1, network.layer2, network.layer3, network.layer4]
