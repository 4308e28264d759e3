"""SyncBatchNorm's messages on a CPU: torch's own code with its GPU-only kernels replaced by dummies.

Number and size of the messages are right; nothing is normalised, so the output is meaningless.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules._functions import SyncBatchNorm

Norm = nn.modules.batchnorm._BatchNorm


class MessagesOnly(nn.Module):
    """Replaces a batch norm: sends the messages of SyncBatchNorm and returns the input."""

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, features: Tensor) -> Tensor:
        group = dist.group.WORLD
        result: Tensor = SyncBatchNorm.apply(
            features, self.weight, self.bias, None, None, 1e-5, 0.1, group, dist.get_world_size()
        )
        return result


def replace_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, Norm):
            setattr(module, name, MessagesOnly(child))
        else:
            replace_norms(child)


@contextmanager
def without_kernels() -> Iterator[Counter[str]]:
    """Context in which `MessagesOnly` works on a CPU; yields the number of calls of each collective."""
    calls: Counter[str] = Counter()

    def counted(name: str) -> Any:
        real = getattr(dist, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return real(*arguments, **options)

        return mock.patch.object(dist, name, call)

    def statistics(features: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        return features.new_zeros(features.shape[1]), features.new_ones(features.shape[1])

    def gradients(gradient: Tensor, *_: object) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        zeros = gradient.new_zeros(gradient.shape[1])
        return zeros, zeros.clone(), zeros.clone(), zeros.clone()

    dummies = {
        "batch_norm_stats": statistics,
        "batch_norm_gather_stats_with_counts": statistics,
        "batch_norm_elemt": lambda features, *_: features.clone(),
        "batch_norm_backward_reduce": gradients,
        "batch_norm_backward_elemt": lambda gradient, *_: gradient,
    }
    with ExitStack() as stack:
        for name, dummy in dummies.items():
            stack.enter_context(mock.patch.object(torch, name, dummy))
        for name in ("all_gather", "all_reduce"):
            stack.enter_context(counted(name))
        yield calls
