"""Networks for images on videos, against a loop over frames."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

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


def test_blocks_are_the_children() -> None:
    chain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1))
    assert Framewise(chain, feature_dim=5, input=INPUT).blocks_in_order() == list(chain)
