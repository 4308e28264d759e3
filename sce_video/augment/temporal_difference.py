"""Frame differences instead of frames. No `Op`: the loader has to bring the frames that follow."""

from torch import Tensor

from sce_video.augment.grayscale import grayscale


def temporal_difference(views: Tensor, successors: Tensor) -> Tensor:
    """Gray frame minus the gray frame after it, moved from [-1, 1] to [0, 1]; (B, 1, T, H, W)."""
    return (grayscale(views) - grayscale(successors) + 1) / 2
