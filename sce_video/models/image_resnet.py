"""torchvision's ResNets for images, applied to every frame."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from sce_video.models.base import Backbone, NetworkInput
from sce_video.models.framewise import mean_over_frames

if TYPE_CHECKING:
    from torchvision.models import ResNet

_OLD_PREFIX = "network."


def resnet18(input: NetworkInput, *, small_input_stem: bool = False) -> "ImageResNet":
    """torchvision's ResNet-18 (arXiv:1512.03385), 512 features; its names."""
    from torchvision import models  # three seconds of every program's start

    return ImageResNet(models.resnet18(weights=None), input=input, small_input_stem=small_input_stem)


def resnet34(input: NetworkInput, *, small_input_stem: bool = False) -> "ImageResNet":
    """torchvision's ResNet-34 (arXiv:1512.03385), 512 features; its names."""
    from torchvision import models

    return ImageResNet(models.resnet34(weights=None), input=input, small_input_stem=small_input_stem)


def resnet50(input: NetworkInput, *, small_input_stem: bool = False) -> "ImageResNet":
    """torchvision's ResNet-50 (arXiv:1512.03385), 2,048 features; its names."""
    from torchvision import models

    return ImageResNet(models.resnet50(weights=None), input=input, small_input_stem=small_input_stem)


class ImageResNet(Backbone):
    """A torchvision ResNet without its classifier on every frame, then the mean over frames; an image has one frame.

    Batch norms see the frames of all views as one batch of images. Initialised by torchvision: the last batch norm of a
    residual block has weight 1, as in SCE's recipes for images.

    Args:
        small_input_stem: a first convolution of 3x3 with stride 1 and no max pooling, for images of 32 pixels as in
            SCE's recipe for CIFAR.
    """

    def __init__(self, network: "ResNet", *, input: NetworkInput, small_input_stem: bool) -> None:
        super().__init__(feature_dim=network.fc.in_features, input=input)
        for name, part in network.named_children():
            if name != "fc":
                self.add_module(name, part)
        if small_input_stem:
            self.conv1 = nn.Conv2d(3, network.conv1.out_channels, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's
            self.maxpool = nn.Identity()

    def blocks_in_order(self) -> list[nn.Module]:
        """The stem and the four stages."""
        stem = nn.Sequential(self.get_submodule("conv1"), self.get_submodule("bn1"))
        return [stem, *(self.get_submodule(f"layer{stage}") for stage in range(1, 5))]

    def forward(self, views: Tensor) -> Tensor:
        return mean_over_frames(self._features, views)

    def _features(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D)"""
        maps = images
        for part in self.children():
            maps = part(maps)
        return maps.flatten(1)

    def current_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return without_old_prefix(tensors)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Also of a checkpoint of an earlier version, in which this network is a part of the model."""
        own = {name.removeprefix(prefix): state_dict.pop(name) for name in list(state_dict) if name.startswith(prefix)}
        state_dict.update({prefix + name: each for name, each in self.current_names(own).items()})
        super()._load_from_state_dict(state_dict, prefix, *others)


def without_old_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an `ImageResNet` by torchvision's names; in earlier versions `network.` was before each of them."""
    is_old = all(name.startswith(_OLD_PREFIX) for name in tensors)
    return {name.removeprefix(_OLD_PREFIX) if is_old else name: each for name, each in tensors.items()}
