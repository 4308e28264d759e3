"""Batch norm in groups of the batch: what batch norm with shuffled keys on several devices computes, on one device.

SCE's CIFAR recipe (arXiv:2111.14585) has it in the momentum branch, after MoCo (arXiv:1911.05722): queries and keys
must not share their statistics, which would give the positive pair away.
"""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sce_video.errors import ConfigError


class SplitBatchNorm(_BatchNorm):
    """Batch norm of images or clips (N, C, ...) that normalises each of `groups` equal parts of a batch by itself.

    Part g has the samples g, g + groups, g + 2 groups, ... of the batch. The running statistics become the mean of
    those that each part alone would give. In evaluation it is plain batch norm. Same parameters, buffers and names as
    `norm`, whose tensors it takes over.

    Raises:
        ValueError: in training, a batch that cannot be divided.
    """

    def __init__(self, norm: _BatchNorm, *, groups: int) -> None:
        affine, tracks = norm.affine, norm.track_running_stats
        super().__init__(norm.num_features, eps=norm.eps, momentum=norm.momentum, affine=affine)
        if norm.momentum is None or not tracks:
            raise ValueError(f"{norm} has no running statistics with a momentum")
        self.groups = groups
        for name, tensor in [*norm.named_parameters(), *norm.named_buffers()]:
            setattr(self, name, tensor)
        self.train(norm.training)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        if len(input) % self.groups:
            raise ValueError(f"a batch of {len(input)} cannot be divided into {self.groups} groups")
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        means, variances = self.running_mean.repeat(self.groups), self.running_var.repeat(self.groups)
        normalised = F.batch_norm(
            input.reshape(-1, self.groups * self.num_features, *input.shape[2:]),  # a channel of each group
            means,
            variances,
            self.weight.repeat(self.groups) if self.affine else None,
            self.bias.repeat(self.groups) if self.affine else None,
            training=True,
            momentum=self.momentum or 0.0,
            eps=self.eps,
        )
        self.running_mean.copy_(means.view(self.groups, -1).mean(dim=0))
        self.running_var.copy_(variances.view(self.groups, -1).mean(dim=0))
        self.num_batches_tracked.add_(1)
        return normalised.view(input.shape)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions."""


def split_batch_norms(network: nn.Module, *, groups: int) -> None:
    """Let the 2D and 3D batch norms of a network normalise `groups` equal parts of a batch by themselves, in place.

    The 1D ones of heads stay, as in the reference.

    Raises:
        ConfigError: a norm of another class, like timm's with an activation inside.
    """
    for part in network.modules():
        for name, child in part.named_children():
            if isinstance(child, nn.BatchNorm2d | nn.BatchNorm3d):
                if type(child) not in (nn.BatchNorm2d, nn.BatchNorm3d):
                    norm = f"{type(child).__name__} of this MODEL.BACKBONE"
                    raise ConfigError(f"MODEL.MOMENTUM_NORM_GROUPS is {groups}; {norm} cannot be divided, use 1")
                part.add_module(name, SplitBatchNorm(child, groups=groups))
