"""Heads: the MLPs used as projector and predictor."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def mlp(dims: Sequence[int], *, last_norm: bool, last_bias: bool = False) -> nn.Sequential:
    """MLP of linear layers, all but the last without bias and followed by batch norm and ReLU.

    (B, dims[0]) -> (B, dims[-1]). The indices are the state-dict names:

        projector  mlp((2048, 4096, 4096, 256), last_norm=True)
                   0 linear, 1 BN, 2 ReLU, 3 linear, 4 BN, 5 ReLU, 6 linear, 7 BN without weight and bias
        predictor  mlp((256, 4096, 256), last_norm=False)
                   0 linear, 1 BN, 2 ReLU, 3 linear
        projector for CIFAR  mlp((512, 512, 128), last_norm=False, last_bias=True)
                   0 linear, 1 BN, 2 ReLU, 3 linear with bias

    (SCE's, arXiv:2111.14585 and arXiv:2212.11187; the first two for ResNet-50.) Linear layers keep torch's default
    initialisation: the reference specifies normal(0, 0.01) for backbones and nothing for heads. A batch norm or the
    final L2 normalisation follows every layer, so the scale of its weight does not affect the loss.

    Args:
        dims: input, hidden and output dimensions, at least two.
        last_norm: end with a batch norm that has no weight and no bias.
        last_bias: the last linear layer has a bias.
    Raises:
        ValueError: fewer than two dimensions, or one below 1.
    """
    if len(dims) < 2 or min(dims) < 1:
        raise ValueError(f"dims is {tuple(dims)}; it must have at least two numbers, each at least 1")
    layers: list[nn.Module] = []
    for dim_in, dim_out in pairwise(dims[:-1]):
        layers += [nn.Linear(dim_in, dim_out, bias=False), nn.BatchNorm1d(dim_out), nn.ReLU(inplace=True)]
    layers.append(nn.Linear(dims[-2], dims[-1], bias=last_bias))
    if last_norm:
        layers.append(nn.BatchNorm1d(dims[-1], affine=False))
    return nn.Sequential(*layers)
