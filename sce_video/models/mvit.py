"""Multiscale vision transformers of torchvision, for clips of 16 frames of 224 pixels."""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from sce_video.models.base import AcceptedViews, Backbone, NetworkInput

if TYPE_CHECKING:
    from torchvision.models.video.mvit import MViT

# torchvision's functions make networks with positions for these only.
MVIT_VIEWS = AcceptedViews(num_frames=16, size_pixels=224)


def mvit_v1_b(input: NetworkInput) -> "MViTBackbone":
    """torchvision's MViT-B (arXiv:2104.11227), 768 features; its names."""
    from torchvision.models import video  # three seconds of every program's start

    return MViTBackbone(video.mvit_v1_b(weights=None, stochastic_depth_prob=0.0), input=input, accepted=MVIT_VIEWS)


def mvit_v2_s(input: NetworkInput) -> "MViTBackbone":
    """torchvision's MViTv2-S (arXiv:2112.01526), 768 features; its names."""
    from torchvision.models import video

    return MViTBackbone(video.mvit_v2_s(weights=None, stochastic_depth_prob=0.0), input=input, accepted=MVIT_VIEWS)


class MViTBackbone(Backbone):
    """A torchvision MViT without its classifier: the class token after the last norm, which the classifier sees.

    Args:
        network: without dropout and stochastic depth, so that a view has one feature in pretraining.
        accepted: the views that its positions are for.
    """

    def __init__(self, network: "MViT", *, input: NetworkInput, accepted: AcceptedViews) -> None:
        super().__init__(feature_dim=network.norm.normalized_shape[0], input=input)
        self.accepted = accepted
        self.conv_proj = network.conv_proj
        self.pos_encoding = network.pos_encoding
        self.blocks = network.blocks
        self.norm = network.norm

    def blocks_in_order(self) -> list[nn.Module]:
        """Patches with class token and positions, then the blocks; the norm is with the last one."""
        *blocks, last = self.blocks
        return [nn.ModuleList([self.conv_proj, self.pos_encoding]), *blocks, nn.ModuleList([last, self.norm])]

    def no_weight_decay(self) -> set[str]:
        """As timm's MViTv2: the class token and all positions, absolute and relative."""
        names = (name for name, _ in self.named_parameters())
        return {name for name in names if name.startswith("pos_encoding.") or ".rel_pos_" in name}

    def forward(self, views: Tensor) -> Tensor:
        self.accepted.require(views)
        maps = self.conv_proj(views)  # (B, D, T', H', W')
        size = tuple(maps.shape[2:])
        tokens = self.pos_encoding(maps.flatten(2).transpose(1, 2))  # (B, 1 + T'H'W', D), the class token first
        for block in self.blocks:
            tokens, size = block(tokens, size)
        features: Tensor = self.norm(tokens[:, 0])
        return features
