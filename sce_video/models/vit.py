"""Plain vision transformers on tubelets of a clip, of torchvision's encoder blocks."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sce_video.models.base import AcceptedViews, Backbone, NetworkInput

_FRAMES, _PIXELS = 2, 16  # of a tubelet (VideoMAE, arXiv:2203.12602)
_LONGEST = 10_000.0  # positions repeat after 2 pi to 2 pi times this many tubelets
_EPS = 1e-6  # of the layer norms, as in torchvision's blocks

VIT_VIEWS = AcceptedViews(pixels_multiple=_PIXELS)


def vit_s(input: NetworkInput) -> "TubeletViT":
    """ViT-S: width 384, 12 blocks of 6 heads (DeiT, arXiv:2012.12877; VideoMAE)."""
    return TubeletViT(width=384, num_blocks=12, num_heads=6, input=input)


def vit_b(input: NetworkInput) -> "TubeletViT":
    """ViT-B: width 768, 12 blocks of 12 heads (arXiv:2010.11929)."""
    return TubeletViT(width=768, num_blocks=12, num_heads=12, input=input)


class TubeletViT(Backbone):
    """Tubelets of 2 frames and 16x16 pixels, a class token, pre-norm blocks; the feature is the normed class token.

    The class token and not the mean of the others, as in MoCo v3 (arXiv:2104.02057), which is contrastive too. Its
    blocks are initialised by torchvision, tubelets and class token as in MoCo v3, which does not train the former; here
    they are trained. Positions are fixed, so that views of all lengths and sizes have their own. The last frame of an
    odd number is repeated: an image is a still video of two frames. No dropout, no stochastic depth.

    Args:
        width: D, a multiple of 6 and of `num_heads`.
    """

    def __init__(self, *, width: int, num_blocks: int, num_heads: int, input: NetworkInput) -> None:
        from torchvision.models.vision_transformer import EncoderBlock  # three seconds of every program's start

        super().__init__(feature_dim=width, input=input)
        size = (_FRAMES, _PIXELS, _PIXELS)
        self.tubelets = nn.Conv3d(3, width, kernel_size=size, stride=size)
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.blocks = nn.ModuleList(EncoderBlock(num_heads, width, 4 * width, 0.0, 0.0) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(width, eps=_EPS)
        nn.init.xavier_uniform_(self.tubelets.weight.detach().flatten(1))
        nn.init.zeros_(self.tubelets.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.class_token, std=1e-6)

    def blocks_in_order(self) -> list[nn.Module]:
        """Tubelets with the class token, then the blocks; the norm is with the last one."""
        stem = nn.ModuleList([self.tubelets, nn.ParameterList([self.class_token])])
        *blocks, last = self.blocks
        return [stem, *blocks, nn.ModuleList([last, self.norm])]

    def no_weight_decay(self) -> set[str]:
        return {"class_token"}

    def forward(self, views: Tensor) -> Tensor:
        """(B, C, T, H, W), any T >= 1, H and W multiples of 16 -> (B, D)."""
        VIT_VIEWS.require(views)
        if views.shape[2] % _FRAMES:
            views = torch.cat([views, views[:, :, -1:]], dim=2)
        maps = self.tubelets(views)  # (B, D, T', H', W')
        placed = maps.flatten(2).transpose(1, 2) + positions(maps.shape[2:], like=self.class_token)
        tokens = torch.cat([self.class_token.expand(len(views), -1, -1), placed], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        features: Tensor = self.norm(tokens[:, 0])
        return features


def positions(grid: Sequence[int], *, like: Tensor) -> Tensor:
    """Fixed positions of a grid (T', H', W'), (T' H' W', D): sines and cosines of each axis in a third of the numbers.

    MoCo v3's of two axes with a third one. VideoMAE numbers all tubelets of a clip in one row instead, where the
    position of a tubelet depends on the size of the view.

    Args:
        like: (..., D); its type and device are those of the result. D is a multiple of 6.
    """
    width = like.shape[-1]
    exponents = torch.arange(width // 6, device=like.device) / (width // 6)
    rates = torch.exp(-math.log(_LONGEST) * exponents)
    parts = []
    for axis, length in enumerate(grid):
        angles = torch.arange(length, device=like.device)[:, None] * rates  # (length, D/6)
        shape = [length if other == axis else 1 for other in range(3)]
        both = torch.cat([angles.sin(), angles.cos()], dim=1)
        parts.append(both.view(*shape, -1).expand(*grid, -1))
    return torch.cat(parts, dim=-1).flatten(0, 2).to(like.dtype)
