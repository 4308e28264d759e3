"""Crops of a batch of images, each with its own box, resized on the images' device."""

import torch
from torch import Tensor


def crop_and_resize(images: Tensor, boxes: Tensor, *, size_pixels: int, antialiased: bool = False) -> Tensor:
    """Bilinear, like `F.interpolate` of each crop.

    Each axis is a product with a matrix of every image, whose rows have the weights of the pixels inside the box.

    Args:
        images: uint8 (B, H, W, C).
        boxes: top, left, height and width in pixels, (B, 4), on the images' device.
    Returns:
        uint8 (B, C, size_pixels, size_pixels).
    """
    _, height, width, _ = images.shape
    top, left, box_height, box_width = boxes.float().unbind(1)
    rows = _weights(top, box_height, size=height, out=size_pixels, antialiased=antialiased)
    columns = _weights(left, box_width, size=width, out=size_pixels, antialiased=antialiased)
    pixels = images.permute(0, 3, 1, 2).float()
    resized = rows[:, None] @ pixels @ columns[:, None].transpose(-1, -2)
    return resized.round_().to(torch.uint8)


def _weights(start: Tensor, length: Tensor, *, size: int, out: int, antialiased: bool) -> Tensor:
    """Weights of the pixels of an axis in each pixel of the result, (B, out, size), for boxes at `start` (B,).

    A triangle around the place of the result's pixel, as wide as the step from one to the next if that is more than a
    pixel and it is antialiased; what falls outside the box is left out.
    """
    start, step = start[:, None, None], (length / out)[:, None, None]
    places = start + step * (torch.arange(out, device=start.device) + 0.5)[:, None] - 0.5  # (B, out, 1)
    pixels = torch.arange(size, device=start.device)
    reach = step.clamp(min=1) if antialiased else 1.0
    weights = (1 - (places - pixels).abs() / reach).clamp_(min=0)
    weights *= (pixels >= start) & (pixels < start + length[:, None, None])
    return weights / weights.sum(dim=2, keepdim=True)
