"""Backbones whose answers are known."""

import torch
from torch import Tensor, nn


class MeanFrame(nn.Module):
    """The mean over frames, as it is: does not see what happens, nor in which order."""

    def forward(self, views: Tensor) -> Tensor:
        return views.mean(dim=2).flatten(1)


class LastMinusFirst(nn.Module):
    """The last frame minus the first: only what changes, with its direction."""

    def forward(self, views: Tensor) -> Tensor:
        return (views[:, :, -1] - views[:, :, 0]).flatten(1)


class BiasedChange(LastMinusFirst):
    """As a network of differences with biases: a still clip has a feature, the same as that of any other."""

    def forward(self, views: Tensor) -> Tensor:
        return super().forward(views) + 0.5


class Luma(nn.Module):
    """Gray as it is on television (ITU-R BT.601): does not see colour."""

    def forward(self, views: Tensor) -> Tensor:
        red, green, blue = views.unbind(1)
        return (0.2989 * red + 0.587 * green + 0.114 * blue).flatten(1)


class Profile(nn.Module):
    """The mean colour of each row of the picture: does not see left and right."""

    def forward(self, views: Tensor) -> Tensor:
        return views.mean(dim=-1).flatten(1)


class Constant(nn.Module):
    """A collapsed network."""

    def forward(self, views: Tensor) -> Tensor:
        return torch.arange(1.0, 5.0).expand(len(views), -1)
