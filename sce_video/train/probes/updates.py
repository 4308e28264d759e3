"""Norm of the gradient, and age of the queue."""

import torch
from torch import Tensor

from sce_video.methods.queue_method import QueueMethod
from sce_video.train.probes.base import Probe, Seen


class Updates(Probe):
    """`gradient_norm` of the whole batch, and of the queue how old its oldest key is, and what share is still random.

    `queue_age_steps` counts the steps since that key was enqueued; it is constant once `queue_random_share` is 0.

    Args:
        every_steps: steps between measurements.
    """

    def __init__(self, *, every_steps: int) -> None:
        self._every_steps = every_steps
        self._norm: Tensor | None = None
        self._age: dict[str, float] = {}

    @torch.no_grad()
    def look(self, seen: Seen) -> None:
        if seen.step % self._every_steps:
            return
        gradients = [each.grad for each in seen.method.parameters() if each.grad is not None]
        self._norm = torch.stack(torch._foreach_norm(gradients)).float().norm() if gradients else None
        method = seen.method
        # A queue of length 0: keys of the batch alone.
        if isinstance(method, QueueMethod) and len(method.queue.keys) and method.num_waiting_keys:
            full = len(method.queue.keys) / method.num_waiting_keys
            self._age = {
                "queue_age_steps": min(seen.step, full),
                "queue_random_share": max(0.0, 1 - seen.step / full),
            }

    def read(self) -> dict[str, float]:
        norm, self._norm = self._norm, None
        age, self._age = self._age, {}
        return {**({} if norm is None else {"gradient_norm": norm.item()}), **age}
