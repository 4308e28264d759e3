"""ResNets for images against torchvision's, in both directions, and with the stem for small images."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision import models

from sce_video.methods.momentum import momentum_copy
from sce_video.models.backbones import make_backbone
from sce_video.models.base import Backbone
from sce_video.models.weights import load_backbone, save_backbone
from tests.models.inputs import INPUT

DEPTHS = ("resnet18", "resnet34", "resnet50")


def library_network(name: str) -> nn.Module:
    """torchvision's, with norms that are not the identity."""
    torch.manual_seed(0)
    network = getattr(models, name)(weights=None)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module", params=DEPTHS)
def pair(request: pytest.FixtureRequest) -> tuple[nn.Module, Backbone]:
    """torchvision's network without its classifier, and ours with the same weights, loaded by name."""
    library, ours = library_network(request.param), make_backbone(request.param, input=INPUT)
    library.fc = nn.Identity()
    ours.load_state_dict(library.state_dict(), strict=True)
    return library, ours.eval()


def test_names_are_torchvision_s(pair: tuple[nn.Module, Backbone]) -> None:
    library, ours = pair
    assert list(ours.state_dict()) == list(library.state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer1.0.conv1.weight"} <= set(ours.state_dict())


@pytest.mark.parametrize("pixels", [(64, 64), (33, 47)])
@torch.no_grad()
def test_an_image_has_torchvision_s_features(pair: tuple[nn.Module, Backbone], pixels: tuple[int, int]) -> None:
    """To the bit: the same operations on the same batch."""
    library, ours = pair
    views = torch.randn(2, 3, 1, *pixels, generator=torch.Generator().manual_seed(1))
    expected = library(views[:, :, 0])
    assert expected.std() > 0
    assert torch.equal(ours(views), expected)


@pytest.mark.rounding
@torch.no_grad()
def test_a_video_has_the_mean_of_torchvision_s_features_of_its_frames(pair: tuple[nn.Module, Backbone]) -> None:
    """One frame of one view at a time."""
    library, ours = pair
    views = torch.randn(2, 3, 3, 33, 47, generator=torch.Generator().manual_seed(1))
    expected = torch.stack([sum(library(view[None, :, t])[0] for t in range(3)) / 3 for view in views])
    torch.testing.assert_close(ours(views), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_weights_go_to_torchvision_and_back(tmp_path: Path) -> None:
    file = tmp_path / "resnet18.safetensors"
    save_backbone(make_backbone("resnet18", input=INPUT), file, name="resnet18", step=7)
    library = models.resnet18(weights=None)
    missing, unexpected = library.load_state_dict(load_file(file), strict=False)
    assert (missing, unexpected) == (["fc.weight", "fc.bias"], [])
    tensors = {name: value for name, value in library_network("resnet18").state_dict().items() if name[:3] != "fc."}
    save_file(tensors, file, metadata={"backbone": "resnet18"})
    again = make_backbone("resnet18", input=INPUT)
    load_backbone(again, file, name="resnet18")
    assert_same(again.state_dict(), tensors)


def assert_same(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in actual.items())


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_files_of_earlier_versions_load(name: str, tmp_path: Path) -> None:
    """They have `network.` before every name; so do the parts of a checkpoint that a run resumes from."""
    tensors = {key: value for key, value in library_network(name).state_dict().items() if key[:3] != "fc."}
    old = {f"network.{key}": value for key, value in tensors.items()}
    save_file(old, tmp_path / "old.safetensors", metadata={"backbone": name})
    from_file = make_backbone(name, input=INPUT)
    load_backbone(from_file, tmp_path / "old.safetensors", name=name)
    assert_same(from_file.state_dict(), tensors)
    resumed = nn.ModuleDict({"backbone": make_backbone(name, input=INPUT)})
    resumed["momentum_backbone"] = momentum_copy(resumed["backbone"])
    state = {f"{part}.{key}": value for part in resumed for key, value in old.items()}
    resumed.load_state_dict(state, strict=True)
    for part in resumed.values():
        assert_same(part.state_dict(), tensors)
    with pytest.raises(RuntimeError, match=r'Missing key.*"backbone.conv1.weight"'):
        resumed.load_state_dict({**state, "backbone.network.more": torch.zeros(1), "backbone.more": torch.zeros(1)})


@pytest.mark.rounding
@torch.no_grad()
def test_the_stem_for_small_images() -> None:
    """torchvision's network with the first convolution and the pool replaced, as is usual for CIFAR."""
    torch.manual_seed(0)
    ours = make_backbone("resnet18", input=INPUT, small_input_stem=True).eval()
    library = models.resnet18(weights=None)
    library.conv1, library.maxpool, library.fc = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity(), nn.Identity()
    library.load_state_dict(ours.state_dict(), strict=True)
    views = torch.randn(2, 3, 1, 32, 32)
    assert torch.equal(ours(views), library.eval()(views[:, :, 0]))
    assert nn.Sequential(*list(ours.children())[:8])(views[:, :, 0]).shape == (2, 512, 4, 4)
    assert ours.conv1.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)  # MSRA, fan-out


def test_blocks_are_the_stem_and_the_stages() -> None:
    network = make_backbone("resnet50", input=INPUT)
    stem, *stages = network.blocks_in_order()
    assert list(stem) == [network.conv1, network.bn1]
    assert stages == [network.layer1, network.layer2, network.layer3, network.layer4]


# Published totals (torchvision's model table), less a classifier of 1,000 classes with bias.
@pytest.mark.parametrize(
    ("name", "feature_dim", "num_parameters"),
    [
        ("resnet18", 512, 11_689_512 - 513_000),
        ("resnet34", 512, 21_797_672 - 513_000),
        ("resnet50", 2048, 25_557_032 - 2_049_000),
    ],
)
def test_number_of_parameters(name: str, feature_dim: int, num_parameters: int) -> None:
    backbone = make_backbone(name, input=INPUT)
    assert backbone.feature_dim == feature_dim
    assert sum(parameter.numel() for parameter in backbone.parameters()) == num_parameters
