"""LARS, the optimiser for large batches that SCE uses in pretraining."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class LARS(torch.optim.Optimizer):
    """SGD with momentum whose step is scaled to the norm of each weight tensor.

    Layer-wise adaptive rate scaling (arXiv:1708.03888) as in SCE's recipe, per tensor p with gradient g:

        ndim > 1:   d = g + weight_decay * p
                    d *= trust_coefficient * |p| / |d|    (factor 1 if either norm is 0)
        ndim <= 1:  d = g                                 (biases and norms: no decay, no scaling)
        mu = sgd_momentum * mu + d
        p -= lr * mu

    No Nesterov, dampening, clipping or epsilon. A step does not synchronise with the device. `lr` may be set in
    `param_groups` before each step; a parameter's state is its buffer "mu".

    Args:
        params: tensors or parameter groups, as for any torch optimiser; a group must be on one device.
        lr: learning rate, at least 0; SCE's peak for a batch of 4,096 is 4.8.
        sgd_momentum: in [0, 1).
        weight_decay: at least 0.
        trust_coefficient: step length over weight norm at lr 1, above 0.
    Raises:
        ValueError: a number outside its range.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        sgd_momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
    ) -> None:
        if lr < 0:
            raise ValueError(f"lr is {lr}; it must be at least 0")
        if not 0 <= sgd_momentum < 1:
            raise ValueError(f"sgd_momentum is {sgd_momentum}; it must be in [0, 1)")
        if weight_decay < 0:
            raise ValueError(f"weight_decay is {weight_decay}; it must be at least 0")
        if trust_coefficient <= 0:
            raise ValueError(f"trust_coefficient is {trust_coefficient}; it must be above 0")
        defaults = {
            "lr": lr,
            "sgd_momentum": sgd_momentum,
            "weight_decay": weight_decay,
            "trust_coefficient": trust_coefficient,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient; gradients are not changed.

        Args:
            closure: recomputes the loss and returns it, as for any torch optimiser.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        weights = [p for p in group["params"] if p.grad is not None and p.ndim > 1]
        vectors = [p for p in group["params"] if p.grad is not None and p.ndim <= 1]
        if weights:
            directions = _scaled_directions(
                weights, weight_decay=group["weight_decay"], trust_coefficient=group["trust_coefficient"]
            )
            self._descend(weights, directions, group)
        if vectors:
            self._descend(vectors, [p.grad for p in vectors], group)

    def _descend(self, params: list[Tensor], directions: list[Tensor], group: dict[str, Any]) -> None:
        buffers = [self._buffer(p) for p in params]
        torch._foreach_mul_(buffers, group["sgd_momentum"])
        torch._foreach_add_(buffers, directions)
        torch._foreach_add_(params, buffers, alpha=-group["lr"])

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "mu" not in state:
            state["mu"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state["mu"]


def _scaled_directions(weights: list[Tensor], *, weight_decay: float, trust_coefficient: float) -> list[Tensor]:
    """d of each weight tensor: gradient plus decay, scaled by trust_coefficient * |p| / |d|."""
    gradients = [w.grad for w in weights if w.grad is not None]
    directions = list(torch._foreach_add(gradients, weights, alpha=weight_decay))
    weight_norms = torch.stack(torch._foreach_norm(weights))  # (number of tensors,)
    direction_norms = torch.stack(torch._foreach_norm(directions))
    scales = torch.where(
        (weight_norms > 0) & (direction_norms > 0), trust_coefficient * weight_norms / direction_norms, 1.0
    )
    torch._foreach_mul_(directions, scales.unbind())
    return directions
