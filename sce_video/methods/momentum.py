"""Momentum encoder: an exponential moving average of the online encoder."""

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sce_video.methods.base import Method, unit

Module = TypeVar("Module", bound=nn.Module)


def momentum_copy(online: Module) -> Module:
    """A copy without gradients; as in SCE it stays in training mode, with its own batch-norm statistics."""
    copied = copy.deepcopy(online)
    copied.requires_grad_(False)
    return copied


@torch.no_grad()
def update_momentum(momentum: nn.Module, online: nn.Module, *, ema_momentum: float) -> None:
    """parameters <- ema_momentum * parameters + (1 - ema_momentum) * online parameters; buffers are not changed."""
    if not 0 <= ema_momentum <= 1:
        raise ValueError(f"ema_momentum is {ema_momentum}; it must be in [0, 1]")
    averages: list[Tensor] = list(momentum.parameters())
    current: list[Tensor] = list(online.parameters())
    if averages:
        torch._foreach_lerp_(averages, current, 1 - ema_momentum)


class MomentumMethod(Method):
    """Base class of methods with a momentum encoder, an EMA copy of backbone and projector.

    The online branch is backbone -> projector -> predictor.

    Args:
        backbone: (B, C, T, H, W) -> (B, F).
        projector: (B, F) -> (B, D).
        predictor: (B, D) -> (B, D); `nn.Identity()` for none.
        others: see `Method`; `ema_momentum` is among the scheduled scalars.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        projector: nn.Module,
        predictor: nn.Module,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.backbone = backbone
        self.projector = projector
        self.predictor = predictor
        self.momentum_backbone = momentum_copy(backbone)
        self.momentum_projector = momentum_copy(projector)

    def encode_query(self, view: Tensor) -> Tensor:
        """Queries: unit vectors, (B, D)."""
        return unit(self.predictor(self.projector(self.backbone(view))))

    @torch.no_grad()
    def encode_key(self, view: Tensor) -> Tensor:
        """Keys: unit vectors without gradient, (B, D)."""
        return unit(self.momentum_projector(self.momentum_backbone(view)))

    @torch.no_grad()
    def finish_step(self, *, at: Mapping[str, float]) -> None:
        """Update the momentum branch."""
        update_momentum(self.momentum_backbone, self.backbone, ema_momentum=at["ema_momentum"])
        update_momentum(self.momentum_projector, self.projector, ema_momentum=at["ema_momentum"])
