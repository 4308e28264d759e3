"""Activation checkpointing: the numbers of a network without it, to the bit, from fewer kept tensors."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm

from sce_video.methods.momentum import momentum_copy
from sce_video.models.backbones import make_backbone
from sce_video.models.base import Backbone
from sce_video.models.classifier import Classifier
from sce_video.models.recompute import recompute_activations
from tests.models.inputs import INPUT
from tests.models.small_mvit import FRAMES, small_mvit


def pair(name: str) -> tuple[Backbone, Backbone]:
    """The same network twice, the second one with checkpointing."""
    torch.manual_seed(0)
    plain = small_mvit(2).train() if name == "small_mvit" else make_backbone(name, input=INPUT).train()
    for module in plain.modules():
        if isinstance(module, _BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)  # zeros would hide wrong gradients
    recomputed = copy.deepcopy(plain)
    recompute_activations(recomputed)
    return plain, recomputed


def loss_of(network: nn.Module, num_frames: int = 2) -> Tensor:
    """Of two views of three videos: every batch norm is updated twice before the backward pass."""
    views = torch.randn(2, 3, 3, num_frames, 32, 32, generator=torch.Generator().manual_seed(1))
    return (network(views[0]) * network(views[1])).sum()


def assert_same_after_a_backward_pass(plain: nn.Module, recomputed: nn.Module, num_frames: int = 2) -> None:
    losses = [loss_of(plain, num_frames), loss_of(recomputed, num_frames)]
    assert torch.equal(*losses)
    for loss in losses:
        loss.backward()
    ours = dict(recomputed.named_parameters())
    for name, parameter in plain.named_parameters():
        assert (parameter.grad is None) == (ours[name].grad is None), name
        assert parameter.grad is None or torch.equal(parameter.grad, ours[name].grad), name
    assert list(recomputed.state_dict()) == list(plain.state_dict())
    for name, buffer in plain.named_buffers():
        assert torch.equal(recomputed.get_buffer(name), buffer), name


@pytest.mark.parametrize("name", ["r2plus1d_mini", "r3d18_sce", "resnet18", "vit_s"])
def test_gradients_and_running_statistics_are_the_same_to_the_bit(name: str) -> None:
    plain, recomputed = pair(name)
    buffers = dict(recomputed.named_buffers())
    assert_same_after_a_backward_pass(plain, recomputed)
    counts = [buffer for name, buffer in recomputed.named_buffers() if name.endswith("num_batches_tracked")]
    assert [int(count) for count in counts] == [2] * len(counts)
    assert all(recomputed.get_buffer(name) is buffer for name, buffer in buffers.items())


def test_a_transformer_whose_blocks_return_sizes_too() -> None:
    """Its last block is a list with the norm."""
    plain, recomputed = pair("small_mvit")
    assert_same_after_a_backward_pass(plain, recomputed, FRAMES)
    assert kept_numbers(recomputed, FRAMES, 32) < 0.25 * kept_numbers(plain, FRAMES, 32)


def test_frozen_blocks_stay_as_they_are() -> None:
    plain, recomputed = (
        Classifier(network, num_classes=3, dropout=0.0, num_trained_blocks=2) for network in pair("r2plus1d_mini")
    )
    recomputed.load_state_dict(plain.state_dict())
    assert_same_after_a_backward_pass(plain.train(), recomputed.train())
    assert int(recomputed.backbone.get_buffer("stem.1.num_batches_tracked")) == 0


def test_random_numbers_inside_a_block_are_drawn_again() -> None:
    """Dropout keeps the same features in the repetition."""
    networks = pair("r2plus1d_mini")
    for network in networks:
        network.get_submodule("layer2").add_module("dropout", nn.Dropout(0.5))
    gradients = []
    for network in networks:
        torch.manual_seed(2)
        loss_of(network).backward()
        gradients.append(network.get_parameter("stem.0.weight").grad)
    assert torch.equal(*gradients)


def kept_numbers(network: Backbone, num_frames: int = 4, size_pixels: int = 64) -> int:
    """Numbers in tensors that the forward pass keeps for the backward pass, other than the weights."""
    kept: dict[int, int] = {}
    weights = {each.untyped_storage().data_ptr() for each in (*network.parameters(), *network.buffers())}

    def pack(tensor: Tensor) -> Tensor:
        if (address := tensor.untyped_storage().data_ptr()) not in weights:
            kept[address] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = network(torch.randn(2, 3, num_frames, size_pixels, size_pixels))
    del loss
    return sum(kept.values())


def test_fewer_activations_are_kept() -> None:
    """Of blocks that hold several layers each, at least half."""
    for name in ("r3d18_sce", "r2plus1d_mini"):
        plain, recomputed = pair(name)
        assert kept_numbers(recomputed) < 0.5 * kept_numbers(plain)


def test_a_momentum_copy_runs_its_own_blocks() -> None:
    """The copy's blocks are called with the copy's weights, and a change of the original does not reach it."""
    plain, recomputed = pair("r2plus1d_mini")
    copied = momentum_copy(recomputed).eval()
    views = torch.randn(2, 3, 2, 32, 32)
    with torch.no_grad():
        for parameter in recomputed.parameters():
            parameter.zero_()
        assert torch.equal(copied(views), plain.eval()(views))
