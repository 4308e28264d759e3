"""Bytes that a training step of several ranks sends."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_FLOAT32_BYTES = 4
_MOMENTUM = "momentum_"  # the branch without gradients


def sent_bytes(
    model: nn.Module, *, num_passes: int, num_momentum_passes: int, num_embeddings: int, embedding_dim: int
) -> dict[str, int]:
    """What a rank contributes to the collectives of one step; what it receives depends on their algorithm.

    Args:
        model: a method or classifier.
        num_passes, num_momentum_passes: forward passes of the branch with and of that without gradients, usually one
            for each view of each accumulated part.
        num_embeddings: embeddings of this rank that are gathered, of all its views and parts.
    Returns:
        `gradients`, `embeddings`, and of synchronised batch norms `norm_statistics` (mean and variance of every
        channel, and a count) and `norm_gradients` (two sums per channel of the branch with gradients).
    """
    norms = {name: module for name, module in model.named_modules() if isinstance(module, _BatchNorm)}
    online = [norm for name, norm in norms.items() if not name.startswith(_MOMENTUM)]
    momentum = [norm for name, norm in norms.items() if name.startswith(_MOMENTUM)]
    passes = [*((num_passes, norm) for norm in online), *((num_momentum_passes, norm) for norm in momentum)]
    return {
        "gradients": sum(each.numel() * each.element_size() for each in model.parameters() if each.requires_grad),
        "embeddings": num_embeddings * embedding_dim * _FLOAT32_BYTES,
        "norm_statistics": _FLOAT32_BYTES * sum(times * (2 * norm.num_features + 1) for times, norm in passes),
        "norm_gradients": _FLOAT32_BYTES * sum(num_passes * 2 * norm.num_features for norm in online),
    }
