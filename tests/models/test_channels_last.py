"""The same numbers in another form, for every network; see docs/performance.md for what it gains."""

import copy

import pytest
import torch
from torch import nn

from sce_video.models.backbones import make_backbone
from sce_video.models.base import NetworkInput
from sce_video.models.channels_last import TemporalConv3d, channels_last, conv3d_kernels

pytestmark = pytest.mark.rounding

INPUT = NetworkInput(8, 1.0, 32, (0.5,) * 3, (0.25,) * 3)
VIDEO_NETWORKS = ["r2plus1d_mini", "r2plus1d_18", "s3d", "r3d18_sce", "slow_r50", "x3d_m"]


def gradients(network: nn.Module, views: torch.Tensor) -> dict[str, torch.Tensor]:
    network.zero_grad()
    features = network(views)
    (features * torch.arange(features.shape[1])).sum().backward()
    return {"features": features.detach()} | {
        name: each.grad.clone() for name, each in network.named_parameters() if each.grad is not None
    }


def converted(convolution: nn.Module) -> nn.Module:
    return channels_last(nn.Sequential(convolution)).get_submodule("0")


@pytest.mark.parametrize("num_frames", [1, 8])
@pytest.mark.parametrize("name", VIDEO_NETWORKS)
def test_features_and_gradients_are_those_of_the_plain_form(name: str, num_frames: int) -> None:
    torch.manual_seed(0)
    network = make_backbone(name, input=INPUT).double().eval()  # batch norm of few values would magnify rounding
    views = torch.randn(2, 3, num_frames, 64, 64, dtype=torch.float64)
    expected = gradients(network, views)
    names = list(network.state_dict())
    actual = gradients(channels_last(network), views)
    assert list(network.state_dict()) == names
    assert actual.keys() == expected.keys()
    for each, value in expected.items():
        torch.testing.assert_close(actual[each], value, rtol=1e-9, atol=1e-9 * value.abs().max().item(), msg=each)


def test_image_networks_have_it_too() -> None:
    torch.manual_seed(0)
    network = make_backbone("resnet18", input=INPUT).double().eval()
    views = torch.randn(2, 3, 1, 64, 64, dtype=torch.float64)
    expected = network(views)
    channels_last(network)
    assert all(
        each.weight.is_contiguous(memory_format=torch.channels_last)
        for each in network.modules()
        if isinstance(each, nn.Conv2d)
    )
    torch.testing.assert_close(network(views), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv3d(4, 6, (3, 1, 1), padding=(1, 0, 0)),
        nn.Conv3d(4, 6, (5, 1, 1), stride=(2, 1, 1), padding=(2, 0, 0), bias=False),
        nn.Conv3d(4, 6, (2, 1, 1)),
    ],
)
def test_a_temporal_convolution_is_that_of_torch(convolution: nn.Conv3d) -> None:
    views = torch.randn(2, 4, 5, 3, 7)
    folded = converted(copy.deepcopy(convolution))
    assert isinstance(folded, TemporalConv3d)
    torch.testing.assert_close(folded(views), convolution(views))


class Standardised(nn.Conv3d):
    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv3d(views, self.weight / self.weight.std(), padding=self.padding)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv3d(4, 4, 3, padding=1),
        nn.Conv3d(4, 4, (1, 3, 3), padding=(0, 1, 1)),
        nn.Conv3d(4, 4, (3, 1, 1), padding=(1, 0, 0), groups=2),
        nn.Conv3d(4, 4, (3, 1, 1), padding=(1, 0, 0), padding_mode="replicate"),
        nn.Conv3d(4, 4, (3, 1, 1), padding=(1, 1, 1)),
        nn.Conv3d(4, 4, (3, 1, 1), stride=2),
        nn.Conv3d(4, 4, (3, 1, 1), padding=(2, 0, 0), dilation=(2, 1, 1)),
        nn.Conv3d(4, 4, (3, 1, 1), padding="same"),
        Standardised(4, 4, (3, 1, 1), padding=(1, 0, 0)),
    ],
)
def test_other_convolutions_stay_what_they_are(convolution: nn.Conv3d) -> None:
    views = torch.randn(2, 4, 5, 6, 7)
    expected = convolution(views)
    same = converted(convolution)
    assert type(same) is type(convolution)
    torch.testing.assert_close(same(views), expected, rtol=1e-4, atol=1e-5)


def test_kernels_of_conv3d_are_those_that_are_not_folded() -> None:
    network = make_backbone("r2plus1d_mini", input=INPUT)
    assert conv3d_kernels(network) == {(1, 7, 7), (3, 1, 1), (1, 3, 3), (1, 1, 1)}
    assert conv3d_kernels(channels_last(network)) == {(1, 7, 7), (1, 3, 3), (1, 1, 1)}
    assert conv3d_kernels(make_backbone("resnet18", input=INPUT)) == set()


def test_bf16_gradients_over_two_frames_are_right() -> None:
    """With `conv3d` they are garbage on a CPU in some versions of torch."""
    torch.manual_seed(0)
    convolution = nn.Conv3d(16, 16, (3, 1, 1), padding=(1, 0, 0), bias=False)
    views = torch.randn(4, 16, 2, 8, 8)
    convolution(views).square().sum().backward()
    assert convolution.weight.grad is not None
    exact = convolution.weight.grad.clone()
    folded = converted(convolution)
    convolution.weight.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        output = folded(views)
    output.float().square().sum().backward()
    torch.testing.assert_close(convolution.weight.grad, exact, rtol=0, atol=0.02 * exact.abs().max().item())
