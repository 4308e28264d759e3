"""Backbones that are a chain of parts with a mean at the end."""

from collections.abc import Mapping

from torch import Tensor, nn

from sce_video.models.base import Backbone, NetworkInput, require_views


class PooledBackbone(Backbone):
    """Named parts applied one after the other, then a mean over frames and pixels.

    The parts keep the names they are given, so the state dict is that of the library they come from, less its
    classifier, and published weights load by name. An image is a video of one frame: T = 1 is a valid input.

    Args:
        parts: name -> module, in the order of application; together (B, C, T, H, W) -> (B, D, T', H', W').
        feature_dim: D, the channels that the last part gives.
    """

    def __init__(self, parts: Mapping[str, nn.Module], *, feature_dim: int, input: NetworkInput) -> None:
        super().__init__(feature_dim=feature_dim, input=input)
        for name, part in parts.items():
            self.add_module(name, part)

    def blocks_in_order(self) -> list[nn.Module]:
        """What the maps pass through, in that order: the parts, or the parts of the only one."""
        parts = list(self.children())
        return list(parts[0].children()) if len(parts) == 1 else parts

    def forward(self, views: Tensor) -> Tensor:
        """(B, C, T, H, W), any T >= 1 and any H, W >= 32 -> (B, D)."""
        require_views(views)
        maps = views
        for part in self.children():
            maps = part(maps)
        return maps.mean(dim=(2, 3, 4))
