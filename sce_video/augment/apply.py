"""Applies drawn augmentation parameters to a batch of clips, on the clips' device."""

import torch
from torch import Tensor

from sce_video.augment.draw import ViewParameters
from sce_video.augment.op import Drawn, change, send
from sce_video.augment.recipes import ViewRecipe
from sce_video.augment.temporal_difference import temporal_difference


@torch.no_grad()
def apply_view(clips: Tensor, successors: Tensor, parameters: ViewParameters, recipe: ViewRecipe) -> Tensor:
    """Turn cropped clips into augmented, normalised views.

    Args:
        clips: uint8 (B, T, C, H, W).
        successors: uint8 (M, T, C, H, W): the native frames that follow those of the M videos with
            `temporal_difference`.
        parameters: of the B videos, drawn by the recipe; on the CPU, so that indexing does not wait for the device.
    Returns:
        float32 (B, C, T, H, W), normalised.
    Raises:
        ValueError: the number of successors differs from that of videos with `temporal_difference`.
    """
    difference = parameters.temporal_difference.nonzero().flatten()
    if len(difference) != len(successors):
        raise ValueError(f"there are {len(successors)} clips of successors for {len(difference)} frame differences")
    views = _to_float(clips)
    if len(difference):
        change(views, difference, temporal_difference, _to_float(successors))
    numbers = parameters.numbers.split([len(op.ranges) for op in recipe.ops], dim=1)
    for op, coins, of_op in zip(recipe.ops, parameters.coins.unbind(1), numbers, strict=True):
        videos = coins.nonzero().flatten()
        if len(videos):
            op.apply(views, Drawn(videos, of_op[videos], parameters.order[videos]))
    return normalize(views, mean=recipe.mean, std=recipe.std)


def plain_view(clips: Tensor, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Normalised clips without augmentation: uint8 (B, T, C, H, W) -> float32 (B, C, T, H, W)."""
    return normalize(_to_float(clips), mean=mean, std=std)


def normalize(views: Tensor, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(views - mean) / std per channel, in place; views are float (B, C, T, H, W)."""
    shape = (1, -1, 1, 1, 1)
    shift, scale = (send(torch.tensor(values).view(shape), views.device) for values in (mean, std))
    return views.sub_(shift).div_(scale)


def _to_float(clips: Tensor) -> Tensor:
    """uint8 (B, T, C, H, W) -> float32 (B, C, T, H, W) in [0, 1]"""
    return clips.transpose(1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255)
