"""Any image network of timm by name, applied to every frame; timm need not be installed otherwise."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from sce_video.errors import ConfigError, reason_of
from sce_video.models.base import AcceptedViews, NetworkInput
from sce_video.models.framewise import Framewise

TIMM_PREFIX = "timm/"
_OWN_PREFIX = "network."


class TimmNetwork(Framewise):
    """A timm network on every frame, then the mean over frames; names are timm's after `network.`."""

    def current_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Also of timm's own files, which do not have the prefix."""
        are_timms = not any(name.startswith(_OWN_PREFIX) for name in tensors)
        return {_OWN_PREFIX + name if are_timms else name: each for name, each in tensors.items()}


def timm_network(input: NetworkInput, *, timm_name: str) -> TimmNetwork:
    """The features that the classifier of a network of timm sees; random weights, no dropout, no stochastic depth.

    Raises:
        ConfigError: timm is not installed, or has no network of this name.
    """
    require_known(timm_name)
    network = _timm().create_model(timm_name, pretrained=False, num_classes=0)
    for part in network.modules():
        if isinstance(part, _DropoutNd):
            part.p = 0.0
        elif hasattr(part, "drop_prob"):  # timm's stochastic depth
            part.drop_prob = 0.0
    return TimmNetwork(network, feature_dim=network.head_hidden_size, input=input, blocks=_blocks)


@dataclass(frozen=True)
class TimmViews(AcceptedViews):
    """Frames of the sizes that the network can be applied to, which is tried; any number of them."""

    timm_name: str = ""

    def refused_pixels(self, size_pixels: int) -> str:
        return super().refused_pixels(size_pixels) or _failure(self.timm_name, size_pixels)


def timm_views(timm_name: str) -> TimmViews:
    """Of transformers, whose positions are for one size, frames of this size only.

    Raises:
        ConfigError: see `timm_network`.
    """
    require_known(timm_name)
    about = _timm().get_pretrained_cfg(timm_name, allow_unregistered=True)
    size_pixels = about.input_size[-1] if about and about.fixed_input_size else None
    return TimmViews(size_pixels=size_pixels, timm_name=timm_name)


@lru_cache(maxsize=16)  # the sizes of a run, checked whenever its config is read
def _failure(timm_name: str, size_pixels: int) -> str:
    """Why a network has no feature of frames of this size, found without computing; "" if it has, or if unknown."""
    image = torch.empty(1, 3, size_pixels, size_pixels, device="meta")
    try:
        with torch.device("meta"), torch.no_grad():
            features = _timm().create_model(timm_name, pretrained=False, num_classes=0).eval()(image)
    except Exception as error:  # timm's networks raise anything
        needs_values = "meta" in str(error)
        return "" if needs_values else f"it must be a size that this network takes ({reason_of(error)})"
    if features.ndim not in (2, 4):
        return f"there is no feature of a frame, but a tensor {tuple(features.shape[1:])}; choose another network"
    return ""


def require_known(timm_name: str) -> None:
    """Raises ConfigError if timm is not installed or has no network of this name; variants of weights are no names."""
    timm = _timm()
    known = timm.list_models()
    if timm_name not in known:
        near = difflib.get_close_matches(timm_name[:100], known, n=3)
        fix = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() lists all"
        raise ConfigError(f"MODEL.BACKBONE is {TIMM_PREFIX}{timm_name[:100]}; timm has no such network; {fix}")


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        fix = "pip install 'sce_video[timm]'"
        raise ConfigError(
            f"MODEL.BACKBONE {TIMM_PREFIX}... needs timm, which cannot be loaded ({error}); {fix}"
        ) from error
    return timm


def _blocks(network: Any) -> list[nn.Module]:
    """The stem and the stages, or each block of a transformer, as timm groups them for layer-wise learning rates.

    A block is a module, or the list of the modules and parameters that timm puts together.
    """
    layer_of = _layers(network)
    layers: dict[int, list[nn.Module]] = {}
    for layer, piece in _pieces(network, layer_of):
        layers.setdefault(layer, []).append(piece)
    return [pieces[0] if len(pieces) == 1 else nn.ModuleList(pieces) for _, pieces in sorted(layers.items())]


def _layers(network: Any) -> dict[int, int]:
    """id of a parameter -> number of its layer; the network's children are the layers if timm groups nothing."""
    if hasattr(network, "group_matcher"):
        from timm.models import group_parameters

        numbers = group_parameters(network, network.group_matcher(coarse=True), reverse=True)
    else:
        children = {name: number for number, (name, _) in enumerate(network.named_children(), start=1)}
        numbers = {name: children.get(name.split(".")[0], 0) for name, _ in network.named_parameters()}
    return {id(parameter): numbers[name] for name, parameter in network.named_parameters()}


def _pieces(module: nn.Module, layer_of: Mapping[int, int]) -> Iterator[tuple[int, nn.Module]]:
    """(layer, the largest part of the network that is in it), and the parameters of modules in several layers."""
    layers = {layer_of[id(parameter)] for parameter in module.parameters()}
    if len(layers) == 1:
        yield layers.pop(), module
        return
    if not layers and isinstance(module, _BatchNorm):  # without weights; it must be in a block too
        yield 0, module
    for parameter in module.parameters(recurse=False):
        yield layer_of[id(parameter)], nn.ParameterList([parameter])
    for child in module.children():
        yield from _pieces(child, layer_of)
