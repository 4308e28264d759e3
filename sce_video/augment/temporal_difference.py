"""Frame differences instead of frames. Not an `Op`, as the loader has to provide the successors of the frames."""

from torch import Tensor

from sce_video.augment.grayscale import grayscale


def temporal_difference(views: Tensor, successors: Tensor) -> Tensor:
    """Gray frame minus the next gray frame, rescaled from [-1, 1] to [0, 1]; (B, 1, T, H, W)."""
    return (grayscale(views) - grayscale(successors) + 1) / 2
