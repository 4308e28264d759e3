"""Parameter groups for weight decay and layer-wise learning rates."""

from collections.abc import Sequence
from typing import Any

from torch import nn


def decay_groups(
    module: nn.Module, *, weight_decay: float, decays_norms_and_biases: bool = False
) -> list[dict[str, Any]]:
    """Two parameter groups for SGD or AdamW: tensors with ndim > 1, with weight decay, and norms and biases.

    Always two groups in this order, so that the optimiser's state dict has the same layout for every module;
    parameters without gradient are in neither. LARS needs no groups: it excludes biases and norms by itself.

    Raises:
        ValueError: `weight_decay` is negative.
    """
    if weight_decay < 0:
        raise ValueError(f"weight_decay is {weight_decay}; it must be at least 0")
    of_the_rest = weight_decay if decays_norms_and_biases else 0.0
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": of_the_rest},
    ]


def layer_groups(
    layers: Sequence[nn.Module], *, weight_decay: float, layer_decay: float, decays_norms_and_biases: bool = False
) -> list[dict[str, Any]]:
    """`decay_groups` of every layer, each with its share of the learning rate as `lr_share`.

    It is 1 for the last layer, and `layer_decay` times that of the next one for the others (arXiv:1801.06146).

    Args:
        layers: in the order of application, with all trained parameters.
        layer_decay: in (0, 1]; 1 gives all the same learning rate.
    Raises:
        ValueError: a number outside its range.
    """
    if not 0 < layer_decay <= 1:
        raise ValueError(f"layer_decay is {layer_decay}; it must be in (0, 1]")
    return [
        {**group, "lr_share": layer_decay**depth}
        for depth, layer in zip(range(len(layers) - 1, -1, -1), layers, strict=True)
        for group in decay_groups(layer, weight_decay=weight_decay, decays_norms_and_biases=decays_norms_and_biases)
    ]
