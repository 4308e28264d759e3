"""Color ops on batches of clips: float (B, C, T, H, W) in [0, 1], one factor per video (B,).

Definitions are torchvision's (`transforms.v2.functional.adjust_*`), each frame being one of its images.
"""

import torch
from torch import Tensor

_GRAY_WEIGHTS = (0.2989, 0.587, 0.114)


def grayscale(views: Tensor) -> Tensor:
    """(B, 3, T, H, W) -> (B, 1, T, H, W)"""
    red, green, blue = views.unbind(1)
    gray = _GRAY_WEIGHTS[0] * red + _GRAY_WEIGHTS[1] * green + _GRAY_WEIGHTS[2] * blue
    return gray.unsqueeze(1)


def adjust_brightness(views: Tensor, factor: Tensor) -> Tensor:
    return (views * _per_video(factor)).clamp_(0, 1)


def adjust_contrast(views: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean gray of each frame."""
    mean = grayscale(views).mean(dim=(-2, -1), keepdim=True)
    return _blend(views, mean, factor)


def adjust_saturation(views: Tensor, factor: Tensor) -> Tensor:
    return _blend(views, grayscale(views), factor)


def shift_hue(views: Tensor, turns: Tensor) -> Tensor:
    """Rotate the hue by `turns`, in [-0.5, 0.5]."""
    red, green, blue = views.unbind(1)
    value, _ = views.max(dim=1)
    chroma = value - views.min(dim=1).values
    safe = torch.where(chroma == 0, torch.ones_like(chroma), chroma)
    hue = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = hue + 6 * turns.view(-1, 1, 1, 1)  # sixths of a turn, any number of turns
    # HSV -> RGB without branches: channel n = v - c * clip(min(k, 4 - k), 0, 1), k = (n + h) mod 6, n = 5, 3, 1
    channels = []
    for n in (5, 3, 1):
        k = torch.remainder(n + hue, 6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, dim=1).clamp_(0, 1)


def _blend(views: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    factor = _per_video(factor)
    return (views * factor + other * (1 - factor)).clamp_(0, 1)


def _per_video(factor: Tensor) -> Tensor:
    return factor.view(-1, 1, 1, 1, 1)
