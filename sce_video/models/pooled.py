"""Backbones that are a chain of modules followed by global average pooling."""

from collections.abc import Mapping

from torch import Tensor, nn

from sce_video.models.base import Backbone, NetworkInput, require_views


class PooledBackbone(Backbone):
    """Named modules applied one after the other, then the mean over frames and pixels.

    The parts keep their names, so the state dict is that of the original library without its classifier, and published
    weights load by name. An image is a video of one frame: T = 1 is a valid input.

    Args:
        parts: name -> module, in the order of application; together (B, C, T, H, W) -> (B, D, T', H', W').
        feature_dim: D, the channels of the last part's output.
    """

    def __init__(self, parts: Mapping[str, nn.Module], *, feature_dim: int, input: NetworkInput) -> None:
        super().__init__(feature_dim=feature_dim, input=input)
        for name, part in parts.items():
            self.add_module(name, part)

    def blocks_in_order(self) -> list[nn.Module]:
        """The parts, or the children of a single part."""
        parts = list(self.children())
        return list(parts[0].children()) if len(parts) == 1 else parts

    def forward(self, views: Tensor) -> Tensor:
        """(B, C, T, H, W), any T >= 1 and any H, W >= 32 -> (B, D)."""
        require_views(views)
        maps = views
        for part in self.children():
            maps = part(maps)
        return maps.mean(dim=(2, 3, 4))
