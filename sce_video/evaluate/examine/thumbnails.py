"""Small gray thumbnails of clips: which show the same, and which do not move."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NUM_THUMBNAIL_FRAMES = 8
_SHAPE = (NUM_THUMBNAIL_FRAMES, 8, 8)  # frames, rows and columns
NUM_THUMBNAIL_VALUES = 8 * 8 * 8
_VISIBLE_CHANGE = 0.05  # standard deviation over time; a gray level of the normalised views is about 0.02


def thumbnails_of(views: Tensor) -> Tensor:
    """Gray, of 8 frames, 8 x 8: (B, C, T, H, W) -> (B, 512)"""
    return F.adaptive_avg_pool3d(views.mean(dim=1, keepdim=True), _SHAPE).flatten(1)


def are_still(thumbnails: Tensor) -> Tensor:
    """Clips that change visibly at none of the 64 places, bool (n,), by their thumbnails (n, 512)."""
    places = thumbnails.double().unflatten(1, (NUM_THUMBNAIL_FRAMES, -1))
    return places.std(dim=1, correction=0).amax(dim=1) < _VISIBLE_CHANGE


class WithThumbnails(nn.Module):
    """A backbone whose features end with the view's thumbnail."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, views: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, D + 512)"""
        return torch.cat([self.backbone(views).float(), thumbnails_of(views)], dim=1)
