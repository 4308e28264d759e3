"""Mixup of views and their targets."""

import numpy as np
import torch
from torch import Tensor


def mixup(views: Tensor, targets: Tensor, *, alpha: float, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Blend a batch with a permutation of itself (arXiv:1710.09412): weight * one + (1 - weight) * other.

    Args:
        views: float (B, C, T, H, W).
        targets: distributions over classes, float (B, classes).
        alpha: above 0; one weight for the whole batch is drawn from Beta(alpha, alpha).
    Returns:
        Views and targets of the same shapes.
    """
    weight = float(random.beta(alpha, alpha))
    others = torch.from_numpy(random.permutation(len(views))).to(views.device)
    return weight * views + (1 - weight) * views[others], weight * targets + (1 - weight) * targets[others]
