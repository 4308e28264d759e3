"""Image networks as video backbones: features of each frame, averaged over frames."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from sce_video.models.base import Backbone, NetworkInput, require_views


def _children(network: nn.Module) -> list[nn.Module]:
    return list(network.children())


class Framewise(Backbone):
    """Applies an image network, without its classifier, to every frame, and averages the features.

    Batch norms see the frames of all views as one batch of images.

    Args:
        network: (N, C, H, W) -> (N, D), or maps (N, D, H', W'), which are averaged; its names in the state dict start
            with `network.`.
        blocks: of the network, see `Backbone.blocks_in_order`; its children by default.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        feature_dim: int,
        input: NetworkInput,
        blocks: Callable[[Any], list[nn.Module]] = _children,
    ) -> None:
        super().__init__(feature_dim=feature_dim, input=input)
        self.network = network
        self._blocks_of = blocks

    def blocks_in_order(self) -> list[nn.Module]:
        return self._blocks_of(self.network)

    def forward(self, views: Tensor) -> Tensor:
        return mean_over_frames(self.network, views)


def mean_over_frames(network: Callable[[Tensor], Tensor], views: Tensor) -> Tensor:
    """Features (B, D) of an image network's features or maps of each frame of views (B, C, T, H, W)."""
    require_views(views)
    features = network(views.transpose(1, 2).flatten(0, 1))  # (B*T, D) or (B*T, D, H', W')
    if features.ndim == 4:
        features = features.mean(dim=(2, 3))
    if features.ndim != 2:
        raise ValueError(f"the features of an image have the shape {tuple(features.shape[1:])}; it must be (D,)")
    return features.unflatten(0, (len(views), -1)).mean(dim=1)
