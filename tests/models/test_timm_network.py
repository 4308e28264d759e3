"""Networks of timm on every frame, against timm's own."""

import copy
import sys
from functools import partial
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from sce_video.errors import ConfigError
from sce_video.models.backbones import accepted_views, make_backbone
from sce_video.models.base import Backbone
from sce_video.models.norms import norm_numbers, synchronised
from sce_video.models.recompute import recompute_activations
from sce_video.models.split_norm import split_batch_norms
from sce_video.models.weights import load_backbone, save_backbone
from sce_video.optim.groups import named_without_decay
from tests.models.inputs import INPUT

# timm's networks for tests; 160 pixels.
NAMES = ("test_vit", "test_resnet", "test_efficientnet", "test_convnext")
VIEWS = torch.randn(2, 3, 2, 160, 160, generator=torch.Generator().manual_seed(1))


def library_network(name: str) -> nn.Module:
    """With norms that are not the identity."""
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, num_classes=0)
    for norm in network.modules():
        if isinstance(norm, nn.LayerNorm | nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.1)
    return network


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def ours_with(library: nn.Module, name: str, folder: Path) -> Backbone:
    """Ours with the weights of the library in a file, under its names."""
    backbone, file = make_backbone(f"timm/{name}", input=INPUT), folder / "weights.safetensors"
    save_file(library.state_dict(), file, metadata={"backbone": f"timm/{name}"})
    load_backbone(backbone, file, name=f"timm/{name}")
    return backbone


@pytest.mark.rounding
@torch.no_grad()
def test_the_feature_is_the_mean_of_timm_s_features_of_the_frames(name: str, tmp_path: Path) -> None:
    library = library_network(name).eval()
    backbone = ours_with(library, name, tmp_path).eval()
    features = backbone(VIEWS)
    assert features.shape == (2, backbone.feature_dim)
    assert features.std() > 0
    expected = torch.stack([library(VIEWS[:, :, frame]) for frame in range(2)]).mean(dim=0)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)


def test_its_own_file_loads_and_records_the_name(tmp_path: Path) -> None:
    saved, file = make_backbone("timm/test_resnet", input=INPUT), tmp_path / "backbone.safetensors"
    save_backbone(saved, file, name="timm/test_resnet", step=7)
    loaded = make_backbone("timm/test_resnet", input=INPUT)
    assert load_backbone(loaded, file, name="timm/test_resnet").backbone == "timm/test_resnet"
    for key, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_timm_s_own_file_keeps_the_batch_norms_of_its_network(tmp_path: Path) -> None:
    """This one's have TensorFlow's eps; other files without a record have torch's."""
    name = "tf_mobilenetv3_small_minimal_100"
    assert norm_numbers(ours_with(timm.create_model(name, num_classes=0), name, tmp_path)).eps == 1e-3


def test_every_parameter_and_norm_is_in_one_block(name: str) -> None:
    """`make_backbone` has checked it too; here by the tensors themselves."""
    backbone = make_backbone(f"timm/{name}", input=INPUT)
    of_blocks = [id(each) for block in backbone.blocks_in_order() for each in block.parameters()]
    assert sorted(of_blocks) == sorted(map(id, backbone.parameters()))
    library = timm.create_model(name, num_classes=0)
    assert [key.removeprefix("network.") for key in backbone.state_dict()] == list(library.state_dict())


def test_blocks_are_the_stem_and_the_stages_or_blocks() -> None:
    resnet = make_backbone("timm/test_resnet", input=INPUT)
    _, *stages = resnet.blocks_in_order()
    assert stages == [resnet.get_submodule(f"network.layer{stage}") for stage in range(1, 5)]
    vit = make_backbone("timm/test_vit", input=INPUT)
    stem, *blocks, last = vit.blocks_in_order()
    in_stem = {name for name, each in vit.named_parameters() if any(each is other for other in stem.parameters())}
    own = {"network.cls_token", "network.pos_embed"}
    assert in_stem == {*own, "network.patch_embed.proj.weight", "network.patch_embed.proj.bias"}
    assert blocks == [vit.get_submodule(f"network.blocks.{block}") for block in range(len(blocks))]
    assert list(last.children()) == [
        vit.get_submodule(f"network.blocks.{len(blocks)}"),
        vit.get_submodule("network.norm"),
    ]
    assert named_without_decay(vit) == {vit.get_parameter(each) for each in own}


def test_a_network_that_timm_does_not_group_has_its_children_as_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(timm.create_model("test_vit", num_classes=0))
    monkeypatch.delattr(kind, "group_matcher")
    vit = make_backbone("timm/test_vit", input=INPUT)
    own, *children = vit.blocks_in_order()
    assert {each.shape for each in own.parameters()} == {(1, 1, 64), (1, 101, 64)}
    assert children == [vit.get_submodule(f"network.{part}") for part in ("patch_embed", "blocks", "norm")]


def test_a_view_has_one_feature_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some networks of timm have dropout or stochastic depth unless told otherwise."""
    with_both = partial(timm.create_model, proj_drop_rate=0.1, drop_path_rate=0.2)
    library = with_both("test_vit", num_classes=0)
    assert not torch.equal(library(VIEWS[:, :, 0]), library(VIEWS[:, :, 0]))
    monkeypatch.setattr(timm, "create_model", with_both)
    backbone = make_backbone("timm/test_vit", input=INPUT).train()
    assert torch.equal(backbone(VIEWS), backbone(VIEWS))


def test_recomputed_gradients_are_the_same_to_the_bit() -> None:
    torch.manual_seed(0)
    plain = make_backbone("timm/test_vit", input=INPUT).train()
    recomputed = copy.deepcopy(plain)
    recompute_activations(recomputed)
    for network in (plain, recomputed):
        network(VIEWS).square().sum().backward()
    for key, parameter in plain.named_parameters():
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, recomputed.get_parameter(key).grad), key


def test_views_of_a_transformer_have_one_size() -> None:
    assert accepted_views("timm/test_vit").size_pixels == 160
    assert accepted_views("timm/vit_base_patch14_dinov2").size_pixels == 518
    assert accepted_views("timm/resnet50").size_pixels is None


@pytest.mark.parametrize(
    ("name", "size_pixels", "refusal"),
    [
        ("test_vit", 160, ""),
        ("test_resnet", 100, ""),
        ("dla34", 224, ""),
        ("dla34", 112, "it must be a size that this network takes ("),  # found nowhere in timm's description of it
        ("deepseek_vit_412m_enc", 448, "there is no feature of a frame, but a tensor ("),
    ],
)
def test_sizes_are_tried(name: str, size_pixels: int, refusal: str) -> None:
    found = accepted_views(f"timm/{name}").refused_pixels(size_pixels)
    assert found.startswith(refusal) if refusal else found == ""


@torch.no_grad()
def test_batch_norms_that_differ_are_kept(tmp_path: Path) -> None:
    """Those of its stem have torch's eps, of its blocks TensorFlow's."""

    def eps(network: nn.Module) -> list[float]:
        return [norm.eps for norm in network.modules() if isinstance(norm, nn.BatchNorm2d)]

    name = "timm/coatnet_bn_0_rw_224"
    saved, file = make_backbone(name, input=INPUT), tmp_path / "backbone.safetensors"
    assert len(set(eps(saved))) > 1
    save_backbone(saved, file, name=name, step=7)
    loaded = make_backbone(name, input=INPUT)
    load_backbone(loaded, file, name=name)
    assert eps(loaded) == eps(saved)


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("resnet5O", "did you mean resnet50"),
        ("test_vit.r160_in1k", "did you mean test_vit"),  # weights of timm's are not downloaded
        ("hf-hub:timm/resnet50", "timm.list_models() lists all"),
        ("", "timm.list_models() lists all"),
    ],
)
def test_an_unknown_name(name: str, fix: str) -> None:
    for use in (lambda: make_backbone(f"timm/{name}", input=INPUT), lambda: accepted_views(f"timm/{name}")):
        with pytest.raises(ConfigError) as caught:
            use()
        message = str(caught.value)
        assert message.startswith(f"MODEL.BACKBONE is timm/{name}; timm has no such network; {fix}")
        assert "\n" not in message


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"needs timm.*; pip install 'sce_video\[timm\]'$"):
        make_backbone("timm/resnet18", input=INPUT)


@pytest.mark.rounding
@torch.no_grad()
def test_synchronised_norms_keep_their_activation() -> None:
    """torch's own conversion drops it. In eval mode they need no other process."""
    backbone = make_backbone("timm/test_efficientnet", input=INPUT).eval()
    expected: Tensor = backbone(VIEWS)
    converted = synchronised(copy.deepcopy(backbone))
    norms = [part for part in converted.modules() if isinstance(part, nn.SyncBatchNorm)]
    assert len(norms) == sum(isinstance(part, BatchNormAct2d) for part in backbone.modules()) > 10
    torch.testing.assert_close(converted(VIEWS), expected)
    dropped = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)
    assert not torch.allclose(dropped(VIEWS), expected, atol=1e-3)


def test_norms_with_an_activation_cannot_be_divided() -> None:
    with pytest.raises(ConfigError, match=r"MODEL.MOMENTUM_NORM_GROUPS is 2; BatchNormAct2d of this MODEL.BACKBONE"):
        split_batch_norms(make_backbone("timm/test_efficientnet", input=INPUT), groups=2)
    split_batch_norms(make_backbone("timm/test_resnet", input=INPUT), groups=2)
