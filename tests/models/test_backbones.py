"""Backbones against the libraries they come from, and at the edges of their input."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from pytorchvideo.models.hub.r2plus1d import r2plus1d_r50 as library_r2plus1d_50
from pytorchvideo.models.hub.resnet import slow_r50 as library_slow_r50
from pytorchvideo.models.hub.x3d import x3d_m as library_x3d_m
from torch import Tensor, nn
from torchvision.models import video
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem, VideoResNet

from sce_video.models.backbones import BACKBONES, accepted_views, make_backbone
from sce_video.models.base import Backbone
from sce_video.models.norms import NormNumbers, norm_numbers, recorded_norm_numbers, set_norm_numbers
from sce_video.models.pooled import PooledBackbone
from sce_video.models.s3d import ShortClipMaxPool3d
from sce_video.models.video_resnet import small_r2plus1d
from sce_video.models.vit import TubeletViT
from sce_video.optim.groups import named_without_decay
from tests.models.inputs import INPUT

# name -> the library's own model and the prefix of its classifier's names.
LIBRARIES: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "r2plus1d_18": (video.r2plus1d_18, "fc."),
    "r2plus1d_50": (library_r2plus1d_50, "blocks.5."),
    "r3d_18": (video.r3d_18, "fc."),
    "s3d": (video.s3d, "classifier."),
    "slow_r50": (library_slow_r50, "blocks.5."),
    "x3d_m": (library_x3d_m, "blocks.5.proj."),
}


# The MViTs take large views only, and `vit_b` is a wider `vit_s`: test_mvit.py and test_vit.py have them.
ANY_VIEWS = sorted(name for name in BACKBONES if accepted_views(name).size_pixels is None and name != "vit_b")


@pytest.fixture(scope="module", params=ANY_VIEWS)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(0)
    return make_backbone(request.param, input=INPUT).eval()


@pytest.fixture(scope="module", params=sorted(LIBRARIES))
def pair(request: pytest.FixtureRequest) -> tuple[str, nn.Module, Backbone]:
    """A library's model with random weights everywhere, and ours with the same ones loaded by name."""
    torch.manual_seed(0)
    library, head = LIBRARIES[request.param][0](), LIBRARIES[request.param][1]
    randomise_norms(library)
    ours = make_backbone(request.param, input=INPUT)
    ours.load_state_dict({k: v for k, v in library.state_dict().items() if not k.startswith(head)}, strict=True)
    set_norm_numbers(ours, recorded_norm_numbers(None, backbone=request.param))  # as weights from elsewhere are loaded
    return request.param, library.eval(), ours.eval()


def randomise_norms(model: nn.Module) -> None:
    """Fresh norms are the identity, or 0 at the end of a residual block: they would hide errors."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def library_features(name: str, library: nn.Module, views: Tensor) -> Tensor:
    """The library's own forward as far as its classifier, averaged over what is left of time and space."""
    headless = copy.deepcopy(library)
    if LIBRARIES[name][1] == "blocks.5.":  # pytorchvideo's
        headless.blocks[5] = nn.AdaptiveAvgPool3d(1)
        return headless(views).flatten(1)
    if name == "x3d_m":  # its window is larger than these views
        headless.blocks[5].pool.pool = nn.AdaptiveAvgPool3d(1)
        headless.blocks[5].dropout, headless.blocks[5].proj = nn.Identity(), nn.Identity()
        headless.blocks[5].activation = nn.Identity()
        return headless(views)
    if name == "s3d":
        headless.avgpool, headless.classifier = nn.AdaptiveAvgPool3d(1), nn.Identity()
    else:
        headless.fc = nn.Identity()
    return headless(views)


def assert_close(actual: Tensor, expected: Tensor) -> None:
    assert expected.std() > 0
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.rounding
@pytest.mark.parametrize("shape", [(8, 32, 32), (5, 33, 47)])
@torch.no_grad()
def test_same_weights_give_the_features_of_the_library(
    pair: tuple[str, nn.Module, Backbone], shape: tuple[int, int, int]
) -> None:
    name, library, ours = pair
    views = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1))
    assert_close(ours(views), library_features(name, library, views))


@torch.no_grad()
def test_state_dict_is_the_library_s_without_its_classifier(pair: tuple[str, nn.Module, Backbone]) -> None:
    name, library, ours = pair
    head = LIBRARIES[name][1]
    assert list(ours.state_dict()) == [key for key in library.state_dict() if not key.startswith(head)]


# Published totals (torchvision's model table, arXiv:2212.11187), less a classifier of 400 classes with bias.
@pytest.mark.parametrize(
    ("name", "num_parameters"),
    [
        ("r2plus1d_18", 31_505_325 - 512 * 400 - 400),
        ("r3d_18", 33_371_472 - 512 * 400 - 400),
        ("s3d", 8_320_048 - 1024 * 400 - 400),
        ("slow_r50", 31_634_496),
    ],
)
def test_number_of_parameters(name: str, num_parameters: int) -> None:
    assert sum(p.numel() for p in make_backbone(name, input=INPUT).parameters()) == num_parameters


def test_r2plus1d_50_is_the_published_network() -> None:
    """28.11 M parameters in pytorchvideo's model zoo, with a classifier of 400 classes; 16 residual blocks."""
    network = make_backbone("r2plus1d_50", input=INPUT)
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    assert round((num_parameters + 2048 * 400 + 400) / 1e6, 2) == 28.11
    zeros = [name for name, each in network.named_parameters() if name.endswith("weight") and (each == 0).all()]
    assert len(zeros) == 3 + 4 + 6 + 3
    assert all(name.endswith("branch2.norm_c.weight") for name in zeros)


def test_x3d_m_is_the_published_network() -> None:
    """3.79 M parameters in pytorchvideo's model zoo, with a classifier of 400 classes."""
    network = make_backbone("x3d_m", input=INPUT)
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    assert round((num_parameters + 2048 * 400 + 400) / 1e6, 2) == 3.79


def test_batch_norms_of_networks_that_are_trained_from_scratch(backbone: Backbone) -> None:
    """Those of SCE's and CoCLR's networks; torchvision's S3D has 0.001 twice."""
    assert norm_numbers(backbone) == NormNumbers(eps=1e-5, momentum=0.1)


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 33, 47), (3, 32, 64)])
@torch.no_grad()
def test_short_clips_and_odd_sizes(backbone: Backbone, shape: tuple[int, int, int]) -> None:
    frames, height, width = shape
    if isinstance(backbone, TubeletViT):
        height, width = 32, width // 16 * 16
    features = backbone(torch.randn(2, 3, frames, height, width, generator=torch.Generator().manual_seed(1)))
    assert features.shape == (2, backbone.feature_dim)
    assert features.isfinite().all()
    assert not torch.equal(features[0], features[1])


def test_every_parameter_gets_a_gradient(backbone: Backbone) -> None:
    trained = copy.deepcopy(backbone)
    trained(torch.randn(1, 3, 2, 32, 32)).sum().backward()
    assert [name for name, p in trained.named_parameters() if p.grad is None] == []


def test_every_parameter_is_in_one_block(backbone: Backbone) -> None:
    """By the tensors' own names, not by the check that made it pass."""
    of_blocks = [id(parameter) for block in backbone.blocks_in_order() for parameter in block.parameters()]
    assert sorted(of_blocks) == sorted(map(id, backbone.parameters()))


def test_only_transformers_keep_more_than_norms_and_biases_from_decay(backbone: Backbone) -> None:
    """The groups of all other networks are as they have always been."""
    named = named_without_decay(backbone)
    assert len(named) == (1 if isinstance(backbone, TubeletViT) else 0)


@pytest.mark.parametrize("shape", [(3, 8, 32, 32), (2, 3, 32, 32), (1, 2, 3, 8, 32, 32)])
def test_wrong_number_of_dimensions(backbone: Backbone, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, C, T, H, W\), got shape \(" + str(shape[0])):
        backbone(torch.zeros(shape))


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'resnet'.*r2plus1d_18.*r2plus1d_mini.*r3d_18.*s3d.*slow_r50"):
        make_backbone("resnet", input=INPUT)


def test_parts_run_in_order_and_are_averaged() -> None:
    backbone = PooledBackbone({"crop": nn.MaxPool3d((1, 2, 2)), "bend": nn.ReLU()}, feature_dim=1, input=INPUT)
    views = torch.tensor([[-9.0, -8.0], [-7.0, -1.0]]).expand(1, 1, 1, 2, 2)
    both = torch.cat([views, -views], dim=2)  # frame 0: max -1 -> 0, frame 1: max 9
    assert backbone(both).tolist() == [[4.5]]


def test_slow_r50_starts_with_residual_blocks_that_do_nothing() -> None:
    slow = make_backbone("slow_r50", input=INPUT)
    final = [n for n, _ in slow.named_parameters() if n.endswith("branch2.norm_c.weight")]
    assert len(final) == 3 + 4 + 6 + 3
    for name, parameter in slow.named_parameters():
        if "norm" in name:
            expected = 1.0 if name.endswith("weight") and name not in final else 0.0
            assert (parameter == expected).all(), name
    assert len(slow.state_dict()) == 318


def test_slow_r50_draws_convolutions_by_fan_out() -> None:
    torch.manual_seed(0)
    slow = make_backbone("slow_r50", input=INPUT)
    for name, (width, *kernel) in {
        "blocks.3.res_blocks.0.branch2.conv_a": (256, 3, 1, 1),
        "blocks.4.res_blocks.2.branch2.conv_b": (512, 1, 3, 3),
        "blocks.4.res_blocks.2.branch2.conv_c": (2048, 1, 1, 1),
    }.items():
        weight = slow.get_parameter(f"{name}.weight")
        assert (len(weight), *weight.shape[2:]) == (width, *kernel)
        assert weight.std().item() == pytest.approx((2 / (width * math.prod(kernel))) ** 0.5, rel=0.01)


def test_slow_r50_temporal_kernels() -> None:
    shapes = {k: tuple(v.shape) for k, v in make_backbone("slow_r50", input=INPUT).state_dict().items()}
    assert shapes["blocks.0.conv.weight"] == (64, 3, 1, 7, 7)
    assert shapes["blocks.2.res_blocks.0.branch2.conv_a.weight"] == (128, 256, 1, 1, 1)
    assert shapes["blocks.3.res_blocks.0.branch2.conv_a.weight"] == (256, 512, 3, 1, 1)
    assert shapes["blocks.3.res_blocks.5.branch2.conv_a.weight"] == (256, 1024, 3, 1, 1)


@pytest.mark.rounding
@torch.no_grad()
def test_small_r2plus1d_is_torchvision_s_network_at_torchvision_s_widths() -> None:
    torch.manual_seed(0)
    library = VideoResNet(BasicBlock, [Conv2Plus1D] * 4, [1, 1, 1, 1], R2Plus1dStem)
    randomise_norms(library)
    library.fc = nn.Identity()
    ours = small_r2plus1d(widths=(64, 128, 256, 512), stem_width=45, input=INPUT)
    ours.load_state_dict(library.state_dict(), strict=True)
    views = torch.randn(2, 3, 5, 33, 47)
    assert_close(ours.eval()(views), library.eval()(views))


def test_small_r2plus1d_draws_convolutions_by_fan_out() -> None:
    torch.manual_seed(0)
    weight = make_backbone("r2plus1d_mini", input=INPUT).get_parameter("layer4.0.conv2.0.0.weight")
    middle, width, *kernel = weight.shape
    assert (width, kernel) == (128, [1, 3, 3])
    assert weight.std().item() == pytest.approx((2 / (middle * 9)) ** 0.5, rel=0.02)


@pytest.mark.rounding
@pytest.mark.parametrize("frames", [1, 4])
@torch.no_grad()
def test_s3d_of_a_short_clip_pools_over_space_only(frames: int) -> None:
    torch.manual_seed(0)
    library, ours = video.s3d(), make_backbone("s3d", input=INPUT).eval()
    randomise_norms(library)
    ours.load_state_dict(library.state_dict(), strict=False)
    set_norm_numbers(ours, recorded_norm_numbers(None, backbone="s3d"))
    parts = library.eval().features
    views = torch.randn(1, 3, frames, 64, 64)
    maps = parts[:13](views)  # (1, 832, 1, 4, 4)
    with pytest.raises(RuntimeError):
        parts[13](maps)
    tiles = maps.reshape(1, 832, 1, 2, 2, 2, 2)  # (B, C, T, row, row in tile, column, column in tile)
    assert_close(ours(views), parts[14:](tiles.amax(dim=(4, 6))).mean(dim=(2, 3, 4)))


@pytest.mark.parametrize("frames", [2, 3, 4])
def test_short_clip_pool_is_the_plain_one_for_longer_clips(frames: int) -> None:
    maps = torch.randn(2, 3, frames, 5, 4)
    assert torch.equal(ShortClipMaxPool3d()(maps), nn.MaxPool3d(2)(maps))
