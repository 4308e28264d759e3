"""Makes views from clips and drawn parameters, in batch, on whatever device the clips are on."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sce_video.augment import color
from sce_video.augment.draw import ViewParameters
from sce_video.augment.recipes import ViewRecipe

# In the order of `ViewParameters.jitter_factors`.
_JITTER_OPS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    color.adjust_brightness,
    color.adjust_contrast,
    color.adjust_saturation,
    color.shift_hue,
)
_SOLARIZE_THRESHOLD = 0.5


@torch.no_grad()
def apply_view(clips: Tensor, successors: Tensor, parameters: ViewParameters, recipe: ViewRecipe) -> Tensor:
    """Turn cropped clips into what the network sees.

    Which ops act on a video, how strongly and in which order is all in `parameters`; of `recipe` only the kernel
    size, mean and std are read.

    Args:
        clips: uint8 (B, T, C, H, W).
        successors: uint8 (M, T, C, H, W), for the M videos with `temporal_difference` the native frame that follows
            each of their frames.
        parameters: on the CPU, so that choosing videos does not wait for the device.
    Returns:
        float32 (B, C, T, H, W), normalised.
    Raises:
        ValueError: another number of successors than of frame differences.
    """
    difference = _chosen(parameters.temporal_difference)
    if len(difference) != len(successors):
        raise ValueError(f"there are {len(successors)} clips of successors for {len(difference)} frame differences")
    views = _to_float(clips)
    _update(views, difference, temporal_difference, _to_float(successors))
    _jitter(views, parameters)
    _update(views, _chosen(parameters.grayscale), color.grayscale)
    blurred = _chosen(parameters.blur)
    sigma = _send(parameters.blur_sigma[blurred], views.device)
    _update(views, blurred, partial(gaussian_blur, kernel_pixels=recipe.blur_kernel_pixels), sigma)
    _update(views, _chosen(parameters.solarize), solarize)
    _update(views, _chosen(parameters.flip), flip)
    return normalize(views, mean=recipe.mean, std=recipe.std)


def plain_view(clips: Tensor, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Clips as the network sees them without augmentation: uint8 (B, T, C, H, W) -> float32 (B, C, T, H, W)."""
    return normalize(_to_float(clips), mean=mean, std=std)


def temporal_difference(views: Tensor, successors: Tensor) -> Tensor:
    """Gray frame minus the gray frame after it, moved from [-1, 1] to [0, 1]; (B, 1, T, H, W)."""
    return (color.grayscale(views) - color.grayscale(successors) + 1) / 2


def gaussian_blur(views: Tensor, sigma: Tensor, *, kernel_pixels: int) -> Tensor:
    """Blur every frame with its video's sigma (B,), borders reflected.

    A blur along one axis is a matrix with the reflection folded in; two batched products are faster than
    a convolution with one kernel per video.
    """
    *_, height, width = views.shape
    rows = _blur_matrices(sigma, height, kernel_pixels=kernel_pixels)  # (B, H, H)
    columns = _blur_matrices(sigma, width, kernel_pixels=kernel_pixels)  # (B, W, W)
    blurred = torch.matmul(views, columns[:, None, None].transpose(-1, -2))
    return torch.matmul(rows[:, None, None], blurred)


def flip(views: Tensor) -> Tensor:
    """Mirror left and right."""
    return views.flip(-1)


def solarize(views: Tensor) -> Tensor:
    """Invert the values at or above one half."""
    return torch.where(views >= _SOLARIZE_THRESHOLD, 1 - views, views)


def normalize(views: Tensor, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(views - mean) / std per channel, in place; views are float (B, C, T, H, W)."""
    shape = (1, -1, 1, 1, 1)
    shift, scale = (_send(torch.tensor(values).view(shape), views.device) for values in (mean, std))
    return views.sub_(shift).div_(scale)


def _to_float(clips: Tensor) -> Tensor:
    """uint8 (B, T, C, H, W) -> float32 (B, C, T, H, W) in [0, 1]"""
    return clips.transpose(1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def _jitter(views: Tensor, parameters: ViewParameters) -> None:
    for position in range(len(_JITTER_OPS)):
        for op, adjust in enumerate(_JITTER_OPS):
            chosen = _chosen(parameters.jitter & (parameters.jitter_order[:, position] == op))
            factors = _send(parameters.jitter_factors[chosen, op], views.device)
            _update(views, chosen, adjust, factors)


def _send(values: Tensor, device: torch.device) -> Tensor:
    """A small CPU tensor to the device; from pinned memory, so that the CPU need not wait for the GPU."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def _chosen(coins: Tensor) -> Tensor:
    return coins.nonzero().flatten()


def _update(views: Tensor, chosen: Tensor, op: Callable[..., Tensor], *arguments: Tensor) -> None:
    """Replace the chosen videos (indices) by `op(them, *arguments)`; one channel becomes three."""
    if len(chosen):
        index = _send(chosen, views.device)
        part = views[index]
        views[index] = op(part, *arguments).expand_as(part)


def _blur_matrices(sigma: Tensor, size: int, *, kernel_pixels: int) -> Tensor:
    """(B,) -> (B, size, size): row i holds the weights of the pixels that make up blurred pixel i."""
    reach = kernel_pixels // 2
    offsets = torch.arange(-reach, reach + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    weights = weights / weights.sum(dim=1, keepdim=True)  # (B, kernel)
    source = torch.arange(size, device=sigma.device)[:, None] + offsets  # (size, kernel), may leave the frame
    source = source.abs()
    source = torch.where(source >= size, 2 * (size - 1) - source, source)
    matrices = sigma.new_zeros(len(sigma), size, size)
    return matrices.scatter_add_(
        2, source.expand(len(sigma), -1, -1), weights[:, None].expand(-1, size, -1).contiguous()
    )
