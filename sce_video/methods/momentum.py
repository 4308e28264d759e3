"""The momentum encoder: a copy that follows the online encoder by an exponential moving average."""

import copy
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from sce_video.methods.base import Method, Scheduled, unit

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


class MomentumMethod(Method):
    """Online backbone -> projector -> predictor, beside a momentum copy of backbone and projector.

    Args:
        backbone: (B, C, T, H, W) -> (B, F).
        projector: (B, F) -> (B, D).
        predictor: (B, D) -> (B, D); `nn.Identity()` for none.
        scheduled: how the scalars move, `ema_momentum` among them.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        projector: nn.Module,
        predictor: nn.Module,
        scheduled: Mapping[str, Scheduled],
    ) -> None:
        super().__init__(scheduled=scheduled)
        self.backbone = backbone
        self.projector = projector
        self.predictor = predictor
        self.momentum_backbone = momentum_copy(backbone)
        self.momentum_projector = momentum_copy(projector)

    def encode_query(self, view: Tensor) -> Tensor:
        """(B, D), unit vectors."""
        return unit(self.predictor(self.projector(self.backbone(view))))

    @torch.no_grad()
    def encode_key(self, view: Tensor) -> Tensor:
        """(B, D), unit vectors without gradient."""
        return unit(self.momentum_projector(self.momentum_backbone(view)))

    @torch.no_grad()
    def finish_step(self, *, at: Mapping[str, float]) -> None:
        """After the optimiser's step the momentum branch follows."""
        update_momentum(self.momentum_backbone, self.backbone, ema_momentum=at["ema_momentum"])
        update_momentum(self.momentum_projector, self.projector, ema_momentum=at["ema_momentum"])
