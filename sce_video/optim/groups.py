"""Parameter groups for weight decay and layer-wise learning rates."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from torch import nn


def decay_groups(
    module: nn.Module, *, weight_decay: float, decays_norms_and_biases: bool = False
) -> list[dict[str, Any]]:
    """Two parameter groups for SGD or AdamW: tensors with ndim > 1, with weight decay, and norms and biases.

    Class tokens and learnt positions (`named_without_decay`) are with norms and biases. Always two groups in this
    order, so that the optimiser's state dict has the same layout for every module; parameters without gradient are in
    neither. LARS needs no groups: it excludes biases and norms by itself.

    Raises:
        ValueError: `weight_decay` is negative.
    """
    of_the_rest = weight_decay if decays_norms_and_biases else 0.0
    return _two_groups(module, named_without_decay(module), weight_decay=weight_decay, of_the_rest=of_the_rest)


def layer_groups(
    layers: Sequence[nn.Module],
    *,
    network: nn.Module,
    weight_decay: float,
    layer_decay: float,
    decays_norms_and_biases: bool = False,
) -> list[dict[str, Any]]:
    """`decay_groups` of every layer, each with its share of the learning rate as `lr_share`.

    It is 1 for the last layer, and `layer_decay` times that of the next one for the others (arXiv:1801.06146).

    Args:
        layers: in the order of application, with all trained parameters.
        network: to which they belong; it knows its tokens and positions, of which a layer is only a list.
        layer_decay: in (0, 1]; 1 gives all the same learning rate.
    Raises:
        ValueError: a number outside its range.
    """
    if not 0 < layer_decay <= 1:
        raise ValueError(f"layer_decay is {layer_decay}; it must be in (0, 1]")
    of_the_rest = weight_decay if decays_norms_and_biases else 0.0
    named = named_without_decay(network)
    return [
        {**group, "lr_share": layer_decay**depth}
        for depth, layer in zip(range(len(layers) - 1, -1, -1), layers, strict=True)
        for group in _two_groups(layer, named, weight_decay=weight_decay, of_the_rest=of_the_rest)
    ]


def named_without_decay(module: nn.Module) -> set[nn.Parameter]:
    """Parameters that a part of a module names in `no_weight_decay()`, as timm's networks and `Backbone` do.

    timm's also name parameters that only other variants of a network have.
    """
    found = set()
    for part in module.modules():
        names: set[str] = getattr(part, "no_weight_decay", set)()
        found |= {parameter for name, parameter in part.named_parameters() if name in names}
    return found


def _two_groups(
    module: nn.Module, named: AbstractSet[nn.Parameter], *, weight_decay: float, of_the_rest: float
) -> list[dict[str, Any]]:
    if weight_decay < 0:
        raise ValueError(f"weight_decay is {weight_decay}; it must be at least 0")
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.ndim > 1 and parameter not in named]
    others = [parameter for parameter in trained if parameter.ndim <= 1 or parameter in named]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": of_the_rest}]
