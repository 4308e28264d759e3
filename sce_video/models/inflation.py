"""Inflation: weights of an image ResNet for a video network with the same layers (arXiv:1705.07750)."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from sce_video.models.image_resnet import without_old_prefix

# Video network -> the image network that is the same for one frame.
INFLATED = {"r3d18_sce": "resnet18", "slow_r50": "resnet50"}
# Where the weights of an image's kernel go in a temporal kernel.
INFLATIONS = ("center", "mean")

_STEM = {"conv1": "blocks.0.conv", "bn1": "blocks.0.norm"}
_IN_BLOCK = {
    **{f"conv{number}": f"branch2.conv_{letter}" for number, letter in enumerate("abc", start=1)},
    **{f"bn{number}": f"branch2.norm_{letter}" for number, letter in enumerate("abc", start=1)},
    "downsample.0": "branch1_conv",
    "downsample.1": "branch1_norm",
}
_NAME = re.compile(r"layer(?P<stage>\d)\.(?P<block>\d+)\.(?P<part>\w+|downsample\.\d)\.(?P<end>\w+)")


def inflated(image: Mapping[str, Tensor], video: Mapping[str, Tensor], *, how: str) -> dict[str, Tensor]:
    """The tensors of a ResNet for images by pytorchvideo's names, with the temporal kernels of a video network.

    A still video then has the image's feature: with "center" at every frame, since kernels see their own frame only;
    with "mean", which sees the average of neighbouring frames, at frames so far from both ends that no padding is seen.

    Args:
        image: torchvision's names, without `fc`.
        video: state dict of the video network.
        how: "center": the weights at the centre of a temporal kernel, zeros elsewhere; "mean": divided by its length at
            all of its frames.
    Returns:
        Tensors to load; those that the video network does not have keep their names.
    """
    tensors = {}
    for name, value in without_old_prefix(image).items():
        new = _video_name(name)
        frames = video[new].shape[2] if new in video and video[new].ndim == 5 else 0
        tensors[new] = _over_frames(value, frames, how) if frames and value.ndim == 4 else value
    return tensors


def _video_name(name: str) -> str:
    start, _, end = name.rpartition(".")
    if start in _STEM:
        return f"{_STEM[start]}.{end}"
    match = _NAME.fullmatch(name)
    if match is None or match["part"] not in _IN_BLOCK:
        return name
    return f"blocks.{match['stage']}.res_blocks.{match['block']}.{_IN_BLOCK[match['part']]}.{match['end']}"


def _over_frames(kernel: Tensor, frames: int, how: str) -> Tensor:
    """(out, in, H, W) -> (out, in, frames, H, W)"""
    repeated = kernel.unsqueeze(2).expand(-1, -1, frames, -1, -1)
    if how == "mean":
        return repeated / frames
    at_centre = torch.arange(frames, device=kernel.device) == frames // 2
    return repeated * at_centre.view(-1, 1, 1)
