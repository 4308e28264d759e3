"""The R3D-18 of the SCE paper: names, sizes and initialisation as published, and what it computes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sce_video.models.backbones import make_backbone
from sce_video.models.base import Backbone
from tests.models.inputs import INPUT


@pytest.fixture(scope="module")
def network() -> Backbone:
    torch.manual_seed(0)
    return make_backbone("r3d18_sce", input=INPUT)


def test_tensors_are_the_paper_s(network: Backbone) -> None:
    """Published total, 120 entries; kernels and shortcuts stage by stage."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert sum(parameter.numel() for parameter in network.parameters()) == 20_023_872
    assert (len(shapes), network.feature_dim) == (120, 512)
    assert shapes["blocks.0.conv.weight"] == (64, 3, 1, 7, 7)
    assert shapes["blocks.0.norm.running_mean"] == (64,)
    for stage, width, width_in, frames in ((1, 64, 64, 1), (2, 128, 64, 1), (3, 256, 128, 3), (4, 512, 256, 3)):
        for block, width_before in enumerate((width_in, width)):
            name = f"blocks.{stage}.res_blocks.{block}"
            assert shapes[f"{name}.branch2.conv_a.weight"] == (width, width_before, frames, 3, 3)
            assert shapes[f"{name}.branch2.conv_b.weight"] == (width, width, 1, 3, 3)
        assert shapes.get(f"blocks.{stage}.res_blocks.0.branch1_conv.weight") == (
            (width, width_in, 1, 1, 1) if stage > 1 else None
        )
    assert len([name for name in shapes if name.endswith("branch1_norm.weight")]) == 3


def test_residual_blocks_start_by_doing_nothing(network: Backbone) -> None:
    norms = {name: each for name, each in network.named_modules() if isinstance(each, nn.BatchNorm3d)}
    last = {name for name, each in norms.items() if (each.weight == 0).all()}
    assert last == {f"blocks.{stage}.res_blocks.{block}.branch2.norm_b" for stage in (1, 2, 3, 4) for block in (0, 1)}
    assert all((each.weight == 1).all() for name, each in norms.items() if name not in last)
    assert all((each.bias == 0).all() for each in norms.values())


def test_convolutions_are_drawn_by_fan_out(network: Backbone) -> None:
    for name, (width, *kernel) in {
        "blocks.3.res_blocks.1.branch2.conv_a": (256, 3, 3, 3),
        "blocks.4.res_blocks.1.branch2.conv_b": (512, 1, 3, 3),
        "blocks.4.res_blocks.0.branch1_conv": (512, 1, 1, 1),
    }.items():
        std = network.get_parameter(f"{name}.weight").std().item()
        assert std == pytest.approx((2 / (width * math.prod(kernel))) ** 0.5, rel=0.01), name


# Published GMACs of the two networks of the paper.
@pytest.mark.parametrize(
    ("name", "shape", "gmacs"),
    [
        ("r3d18_sce", (8, 224), 20.1),
        ("r3d18_sce", (8, 256), 26.2),
        ("r3d18_sce", (16, 112), 11.0),
        ("r3d18_sce", (16, 128), 13.1),
        ("slow_r50", (8, 224), 41.7),
        ("slow_r50", (16, 224), 83.5),
    ],
)
def test_multiplications_per_clip(name: str, shape: tuple[int, int], gmacs: float) -> None:
    frames, pixels = shape
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        make_backbone(name, input=INPUT).eval()(torch.zeros(1, 3, frames, pixels, pixels))
    assert round(counter.get_total_flops() / 2e9, 1) == gmacs  # two operations each


@pytest.mark.rounding
@torch.no_grad()
def test_forward_step_by_step() -> None:
    torch.manual_seed(1)
    network = make_backbone("r3d18_sce", input=INPUT).eval()
    state = network.state_dict()
    for name, value in state.items():  # so that every tensor counts
        if "norm" in name and value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5)
    views = torch.randn(2, 3, 5, 33, 47)
    torch.testing.assert_close(network(views), by_hand(state, views), rtol=1e-4, atol=1e-4)


def by_hand(state: dict[str, Tensor], views: Tensor) -> Tensor:
    """The paper's description, with torch's functions."""

    def norm(maps: Tensor, name: str) -> Tensor:
        values = (state[f"{name}.{each}"] for each in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(maps, *values, eps=1e-5)

    maps = F.relu(norm(F.conv3d(views, state["blocks.0.conv.weight"], None, (1, 2, 2), (0, 3, 3)), "blocks.0.norm"))
    maps = F.max_pool3d(maps, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    for stage, frames, first_stride in ((1, 1, 1), (2, 1, 2), (3, 3, 2), (4, 3, 2)):
        for block, stride in enumerate((first_stride, 1)):
            name, strides = f"blocks.{stage}.res_blocks.{block}", (1, stride, stride)
            inner = F.conv3d(maps, state[f"{name}.branch2.conv_a.weight"], None, strides, (frames // 2, 1, 1))
            inner = F.relu(norm(inner, f"{name}.branch2.norm_a"))
            inner = F.conv3d(inner, state[f"{name}.branch2.conv_b.weight"], None, 1, (0, 1, 1))
            if stride == 2:
                maps = norm(F.conv3d(maps, state[f"{name}.branch1_conv.weight"], None, strides), f"{name}.branch1_norm")
            maps = F.relu(maps + norm(inner, f"{name}.branch2.norm_b"))
    return maps.mean(dim=(2, 3, 4))
