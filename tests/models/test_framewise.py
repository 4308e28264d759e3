"""Networks for images on videos, against a loop over frames."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from sce_video.models.backbones import make_backbone
from sce_video.models.framewise import Framewise
from tests.models.inputs import INPUT


@pytest.fixture(scope="module")
def library() -> nn.Module:
    """torchvision's ResNet-18 with running statistics that are not the identity."""
    torch.manual_seed(0)
    network = models.resnet18(weights=None)
    network.fc = nn.Identity()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def mean_over_frames(library: nn.Module, views: Tensor) -> Tensor:
    """One frame of one view at a time."""
    return torch.stack(
        [torch.stack([library(view[None, :, t])[0] for t in range(view.shape[1])]).mean(dim=0) for view in views]
    )


@pytest.mark.rounding
@pytest.mark.parametrize("num_frames", [1, 3])
@torch.no_grad()
def test_resnet18_is_the_mean_of_torchvision_s_over_frames(library: nn.Module, num_frames: int) -> None:
    ours = make_backbone("resnet18", input=INPUT).eval()
    ours.load_state_dict({f"network.{name}": value for name, value in library.state_dict().items()})
    views = torch.randn(2, 3, num_frames, 33, 47, generator=torch.Generator().manual_seed(1))
    expected = mean_over_frames(library, views)
    assert expected.std() > 0
    torch.testing.assert_close(ours(views), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.rounding
@torch.no_grad()
def test_maps_are_averaged_over_their_pixels(library: nn.Module) -> None:
    headless = copy.deepcopy(library)
    maps = nn.Sequential(*list(headless.children())[:-2])  # without pooling and classifier
    views = torch.randn(2, 3, 2, 64, 64, generator=torch.Generator().manual_seed(1))
    assert maps(views[:, :, 0]).shape == (2, 512, 2, 2)
    ours = Framewise(maps, feature_dim=512, input=INPUT)
    torch.testing.assert_close(ours(views), mean_over_frames(library, views), rtol=1e-4, atol=1e-5)


def test_frames_of_one_view_stay_together() -> None:
    """Each frame is one number, by hand: view 0 has 1, 2 and view 1 has 10, 20."""
    values = torch.tensor([[1.0, 2.0], [10.0, 20.0]]).view(2, 1, 2, 1, 1)
    ours = Framewise(nn.Flatten(), feature_dim=1, input=INPUT)
    assert ours(values).tolist() == [[1.5], [15.0]]


def test_blocks_are_the_stages() -> None:
    assert len(make_backbone("resnet50", input=INPUT).blocks_in_order()) == 5
    chain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1))
    assert Framewise(chain, feature_dim=5, input=INPUT).blocks_in_order() == list(chain)


# Published totals (torchvision's model table), less a classifier of 1,000 classes with bias.
@pytest.mark.parametrize(
    ("name", "feature_dim", "num_parameters"),
    [("resnet18", 512, 11_689_512 - 513_000), ("resnet50", 2048, 25_557_032 - 2_049_000)],
)
def test_number_of_parameters(name: str, feature_dim: int, num_parameters: int) -> None:
    backbone = make_backbone(name, input=INPUT)
    assert backbone.feature_dim == feature_dim
    assert sum(parameter.numel() for parameter in backbone.parameters()) == num_parameters
