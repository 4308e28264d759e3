"""Gaussian blur, with one sigma per video."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sce_video.augment.op import Drawn, Op, change


@dataclass(frozen=True)
class GaussianBlur(Op):
    """Gaussian blur; sigma is drawn from the range `sigma_pixels`, and `kernel_pixels` is odd."""

    kernel_pixels: int
    sigma_pixels: tuple[float, float]

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        return (self.sigma_pixels,)

    def apply(self, views: Tensor, drawn: Drawn) -> None:
        change(views, drawn.videos, partial(gaussian_blur, kernel_pixels=self.kernel_pixels), drawn.numbers[:, 0])


def gaussian_blur(views: Tensor, sigma: Tensor, *, kernel_pixels: int) -> Tensor:
    """Blur every frame with its video's sigma (B,) and reflected borders.

    Blurring one axis is a product with a matrix that includes the reflection; two batched products are faster than a
    convolution with one kernel per video.
    """
    *_, height, width = views.shape
    rows = _blur_matrices(sigma, height, kernel_pixels=kernel_pixels)  # (B, H, H)
    columns = _blur_matrices(sigma, width, kernel_pixels=kernel_pixels)  # (B, W, W)
    blurred = torch.matmul(views, columns[:, None, None].transpose(-1, -2))
    return torch.matmul(rows[:, None, None], blurred)


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
