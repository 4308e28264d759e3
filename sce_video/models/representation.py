"""What a network sees of the frames of a view: the frames, their differences, or both.

Of T frames there are T differences, each frame minus the next one and the last repeated, as in SCE's temporal
difference (arXiv:2212.11187), but of the frames of the clip instead of native ones, and in colour. So the network sees
as many frames in every representation. They are normalised before, so a difference is divided by the deviation, and the
mean has no effect.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

RGB = "rgb"
_RGB_CHANNELS = 3


def differences(views: Tensor) -> Tensor:
    """Each frame minus the next, the last difference repeated: (B, C, T, H, W), T >= 2, -> (B, C, T, H, W).

    Raises:
        ValueError: a single frame has no difference.
    """
    if views.shape[2] < 2:
        raise ValueError("a view of a single frame has no difference; use two or more frames")
    of_pairs = views[:, :, :-1] - views[:, :, 1:]
    return torch.cat([of_pairs, of_pairs[:, :, -1:]], dim=2)


def absolute_differences(views: Tensor) -> Tensor:
    """`differences` without their signs: where and how much it moves, not which way."""
    return differences(views).abs()


def frames_and_differences(views: Tensor) -> Tensor:
    """Frames, then their `differences` as further channels: (B, C, T, H, W) -> (B, 2C, T, H, W)."""
    return torch.cat([views, differences(views)], dim=1)


@dataclass(frozen=True)
class Representation:
    """What is made of views of RGB frames, in words for the user, its channels, and whether still pictures are seen."""

    words: str
    of: Callable[[Tensor], Tensor]
    num_channels: int = _RGB_CHANNELS
    sees_pictures: bool = True


# By MODEL.REPRESENTATION.
REPRESENTATIONS = {
    RGB: Representation("RGB frames", lambda views: views),
    "difference": Representation("differences of frames", differences, sees_pictures=False),
    "absolute_difference": Representation("absolute differences of frames", absolute_differences, sees_pictures=False),
    "rgb_and_difference": Representation("RGB frames and their differences", frames_and_differences, 2 * _RGB_CHANNELS),
}


def widen_stem(network: nn.Module, *, num_channels: int) -> None:
    """Let a network for RGB take twice as many channels, in place.

    The kernels of the new channels are those of RGB, each of another output channel, so that they have the same
    distribution; no random number is drawn.

    Raises:
        ValueError: not exactly one convolution takes three channels.
    """
    if num_channels == _RGB_CHANNELS:
        return
    stems = _convolutions_of(network, _RGB_CHANNELS)
    if len(stems) != 1:
        raise ValueError(f"{len(stems)} convolutions take {_RGB_CHANNELS} channels; there must be one")
    (stem,) = stems.values()
    stem.in_channels = num_channels
    stem.weight = nn.Parameter(torch.cat([stem.weight.detach(), stem.weight.detach().flip(0)], dim=1))


def with_blind_differences(weights: dict[str, Tensor], network: nn.Module, *, num_channels: int) -> dict[str, Tensor]:
    """Weights of a network for RGB, for one whose stem also takes differences: the kernels of these are zeros.

    Its features are at first those of the RGB network. Without further channels, the weights as they are.
    """
    if num_channels == _RGB_CHANNELS:
        return weights
    names = {f"{name}.weight" for name in _convolutions_of(network, num_channels)}
    return {
        name: torch.cat([each, torch.zeros_like(each)], dim=1)
        if name in names and each.shape[1] == _RGB_CHANNELS
        else each
        for name, each in weights.items()
    }


def _convolutions_of(network: nn.Module, num_channels: int) -> dict[str, _ConvNd]:
    """Those that take this many channels, by name."""
    named = network.named_modules()
    return {name: each for name, each in named if isinstance(each, _ConvNd) and each.in_channels == num_channels}
