"""The momentum encoder: a copy that follows the online encoder by an exponential moving average."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def momentum_copy(online: Module) -> Module:
    """A copy without gradients. It stays in training mode and keeps its own batch-norm statistics as in SCE."""
    copied = copy.deepcopy(online)
    copied.requires_grad_(False)
    return copied


@torch.no_grad()
def update_momentum(momentum: nn.Module, online: nn.Module, *, ema_momentum: float) -> None:
    """parameters <- ema_momentum * parameters + (1 - ema_momentum) * online parameters; buffers are left alone."""
    if not 0 <= ema_momentum <= 1:
        raise ValueError(f"ema_momentum is {ema_momentum}; it must lie between 0 and 1")
    followers: list[Tensor] = list(momentum.parameters())
    leaders: list[Tensor] = list(online.parameters())
    if followers:
        torch._foreach_lerp_(followers, leaders, 1 - ema_momentum)
