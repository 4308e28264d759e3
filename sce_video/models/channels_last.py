"""Networks in channels-last memory: the same weights and names, and the same numbers but for the order of sums.

Convolutions on a CPU, and those in half precision on a GPU, work in this order; in the usual one they rearrange their
inputs and outputs. k x 1 x 1 convolutions are computed as 2D ones, of which (B, C, T, H * W) is then a view: that is as
fast, and bf16 has right gradients on a CPU where those of `conv3d` are garbage (see `Precision`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class TemporalConv3d(nn.Conv3d):
    """A k x 1 x 1 convolution of (B, C, T, H, W), computed as a 2D one."""

    def forward(self, views: Tensor) -> Tensor:
        height, width = views.shape[3:]
        flat = views.contiguous(memory_format=torch.channels_last_3d).flatten(3)
        stride, padding = (self.stride[0], 1), (int(self.padding[0]), 0)
        maps = F.conv2d(flat, self.weight.flatten(3), self.bias, stride, padding)
        return maps.unflatten(3, (height, width))


def channels_last(model: nn.Module) -> nn.Module:
    """Bring a model's weights into channels-last memory, in place, with `TemporalConv3d` where it applies.

    Inputs may have any memory format: the first convolution rearranges them.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if _is_temporal(child):
                setattr(parent, name, _folded(child))
    for parameter in model.parameters():
        if parameter.dim() in _FORMATS:
            # Not `contiguous`, which leaves the strides of 1 x 1 kernels as they are: those of gradients would differ.
            ordered = torch.empty_like(parameter, memory_format=_FORMATS[parameter.dim()])
            parameter.data = ordered.data.copy_(parameter.data)
    return model


def conv3d_kernels(model: nn.Module) -> set[tuple[int, ...]]:
    """Sizes of the kernels that are computed by `conv3d`."""
    convolutions = [each for each in model.modules() if isinstance(each, nn.Conv3d)]
    return {each.kernel_size for each in convolutions if not isinstance(each, TemporalConv3d)}


def _is_temporal(part: nn.Module) -> bool:
    """A k x 1 x 1 convolution that keeps height and width, is not grouped, and computes what `nn.Conv3d` does."""
    return (
        isinstance(part, nn.Conv3d)
        and type(part).forward is nn.Conv3d.forward
        and part.kernel_size[0] > 1
        and part.kernel_size[1:] == part.stride[1:] == (1, 1)
        and not isinstance(part.padding, str)
        and part.padding[1:] == (0, 0)
        and part.dilation[0] == part.groups == 1
        and part.padding_mode == "zeros"
    )


def _folded(part: nn.Module) -> TemporalConv3d:
    """The same parameters, not copies."""
    assert isinstance(part, nn.Conv3d)
    kernel, stride, padding = part.kernel_size[0], part.stride[0], int(part.padding[0])
    folded = TemporalConv3d(
        part.in_channels,
        part.out_channels,
        (kernel, 1, 1),
        stride=(stride, 1, 1),
        padding=(padding, 0, 0),
        bias=part.bias is not None,
        device="meta",
    )
    folded.weight, folded.bias = part.weight, part.bias
    return folded.train(part.training)


# By TRAIN.SPEED.
SPEEDS = {"plain": lambda model: model, "channels_last": channels_last}
