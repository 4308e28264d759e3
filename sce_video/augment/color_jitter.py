"""Color jitter: brightness, contrast, saturation and hue of float (B, C, T, H, W) in [0, 1], one factor per video (B,).

Each frame is changed as by torchvision's `transforms.v2.functional.adjust_*`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sce_video.augment.grayscale import grayscale
from sce_video.augment.op import Drawn, Op, change


@dataclass(frozen=True)
class ColorJitter(Op):
    """All four in a random order; `strengths` is for brightness, contrast, saturation and hue.

    Factors are drawn from U(max(0, 1 - strength), 1 + strength), the hue shift (turns) from U(-strength, strength).
    """

    strengths: tuple[float, ...]

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        *factors, hue = self.strengths
        return *((max(0.0, 1 - strength), 1 + strength) for strength in factors), (-hue, hue)

    def apply(self, views: Tensor, drawn: Drawn) -> None:
        adjustments = (adjust_brightness, adjust_contrast, adjust_saturation, shift_hue)
        for turn in drawn.order.unbind(1):
            for number, adjust in enumerate(adjustments):
                now = turn == number
                change(views, drawn.videos[now], adjust, drawn.numbers[now, number])


def adjust_brightness(views: Tensor, factor: Tensor) -> Tensor:
    """Multiply by the factor."""
    return (views * _per_video(factor)).clamp_(0, 1)


def adjust_contrast(views: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean gray of each frame."""
    mean = grayscale(views).mean(dim=(-2, -1), keepdim=True)
    return _blend(views, mean, factor)


def adjust_saturation(views: Tensor, factor: Tensor) -> Tensor:
    """Blend with the gray values of each frame."""
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
    blended = views * factor
    blended += other * (1 - factor)
    return blended.clamp_(0, 1)


def _per_video(factor: Tensor) -> Tensor:
    return factor.view(-1, 1, 1, 1, 1)
