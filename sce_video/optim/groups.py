"""Which weights decay."""

from typing import Any

from torch import nn


def decay_groups(module: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups for SGD or AdamW: tensors with ndim > 1 decay; biases and norms do not.

    Always two groups, decayed first, so that the optimiser's state dict has the same layout for every module;
    parameters that need no gradient are in neither. LARS needs no groups: it excludes biases and norms by itself.

    Raises:
        ValueError: `weight_decay` is negative.
    """
    if weight_decay < 0:
        raise ValueError(f"weight_decay is {weight_decay}; it must be at least 0")
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
