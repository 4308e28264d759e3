"""The record of a network's views, and what is refused where blocks do not hold a network."""

from dataclasses import replace

import pytest
import timm
import torch
from torch import Tensor, nn

from sce_video.models import backbones
from sce_video.models.backbones import make_backbone
from sce_video.models.base import Backbone, NetworkInput, recorded_input, require_whole_blocks
from sce_video.models.classifier import Classifier
from sce_video.models.framewise import Framewise
from sce_video.models.norms import NormNumbers, norm_numbers
from sce_video.optim.groups import layer_groups
from tests.models.inputs import INPUT


def test_a_record_round_trips() -> None:
    views = NetworkInput(num_frames=16, seconds=1e-05, size_pixels=112, mean=(0.0, -1.5, 1 / 3), std=(1.0, 2.0, 1e-3))
    assert recorded_input(str(views)) == views
    resized = replace(views, antialiased_resize=True)
    assert recorded_input(str(resized)) == resized
    signed = replace(views, representation="difference")
    assert recorded_input(str(signed)) == signed
    unknown = NetworkInput(num_frames=1, seconds=2.56, size_pixels=None, mean=(0.5,), std=(0.5,))
    assert recorded_input(str(unknown)) == unknown


def test_the_sentence_of_earlier_versions() -> None:
    """As "{} frames in {} s, mean {}, std {}".format(...) wrote it, by hand."""
    assert recorded_input("8 frames in 2.56 s, mean [0.45, 0.4, 0.35], std [0.225, 1e-05, 1.0]") == NetworkInput(
        num_frames=8, seconds=2.56, size_pixels=None, mean=(0.45, 0.4, 0.35), std=(0.225, 1e-05, 1.0)
    )


def test_a_record_without_a_representation_is_of_rgb() -> None:
    """As files of earlier versions have it."""
    of_before = str(INPUT).replace(', "representation": "rgb"', "")
    assert "representation" not in of_before
    assert recorded_input(of_before) == INPUT


@pytest.mark.parametrize(
    "text",
    [
        *("", "unknown", "[]", "3", "{}", "8 frames", '{"num_frames": 8}', "[" * 100_000),
        "8 frames in x s, mean [0.45], std [0.225]",
        "8 frames in 1.28 s, mean [NaN], std [0.225]",
        "8 frames in 1.28 s, mean [0.45], std [0.0]",
        "0 frames in 1.28 s, mean [0.45], std [0.225]",
        str(INPUT).replace("32", "0"),
        str(INPUT).replace("0.5", "Infinity"),
        str(INPUT).replace("[", "").replace("]", ""),
        str(INPUT).replace('"rgb"', '"flow"'),
    ],
)
def test_an_invalid_record_is_shown(text: str) -> None:
    with pytest.raises(ValueError, match="^its record of the network input is '") as caught:
        recorded_input(text)
    assert len(str(caught.value)) < 150


def small_vit() -> nn.Module:
    """timm's: `cls_token` and `pos_embed` are the network's own, as in every ViT."""
    return timm.models.VisionTransformer(
        img_size=32, patch_size=16, embed_dim=8, depth=2, num_heads=2, num_classes=0, global_pool="token"
    )


def vit(*left_out: str) -> Framewise:
    def blocks(network: nn.Module) -> list[nn.Module]:
        own = [getattr(network, name) for name in ("cls_token", "pos_embed") if name not in left_out]
        stem = nn.ModuleList([network.patch_embed, nn.ParameterList(own)])
        return [stem, network.blocks[0], nn.ModuleList([network.blocks[1], network.norm])]

    return Framewise(small_vit(), feature_dim=8, input=INPUT, blocks=blocks)


@pytest.mark.parametrize("name", ["cls_token", "pos_embed"])
def test_a_parameter_in_no_block_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = rf"^network\.{name} is in none of the backbone's blocks; it must be in one"
    with pytest.raises(ValueError, match=refused):
        require_whole_blocks(vit(name))
    with pytest.raises(ValueError, match=refused):
        Classifier(vit(name), num_classes=3, dropout=0.0, num_trained_blocks=1)
    monkeypatch.setitem(backbones.BACKBONES, "vit", lambda input: vit(name))
    with pytest.raises(ValueError, match=refused):
        make_backbone("vit", input=INPUT)


def test_the_children_of_a_vit_are_not_all_of_it() -> None:
    with pytest.raises(ValueError, match=r"^network\.cls_token is in none"):
        require_whole_blocks(Framewise(small_vit(), feature_dim=8, input=INPUT))


class Given(Backbone):
    """One linear layer and one batch norm without weights, in the blocks that a test gives."""

    def __init__(self, *blocks: str) -> None:
        super().__init__(feature_dim=2, input=INPUT)
        self.linear, self.norm = nn.Linear(3, 2), nn.BatchNorm1d(2, affine=False)
        self.names = blocks

    def blocks_in_order(self) -> list[nn.Module]:
        return [getattr(self, name) for name in self.names]

    def forward(self, views: Tensor) -> Tensor:
        return self.norm(self.linear(views.mean(dim=(2, 3, 4))))


def test_what_is_twice_in_blocks_or_is_a_batch_norm_outside() -> None:
    require_whole_blocks(Given("linear", "norm"))
    with pytest.raises(ValueError, match=r"^linear\.weight is in 2 of the backbone's blocks"):
        require_whole_blocks(Given("linear", "norm", "linear"))
    with pytest.raises(ValueError, match="^norm is in none of the backbone's blocks"):
        require_whole_blocks(Given("linear"))


def test_each_parameter_of_a_vit_learns_at_the_rate_of_its_block() -> None:
    classifier = Classifier(vit(), num_classes=3, dropout=0.0, num_trained_blocks=3)
    groups = layer_groups(classifier.layers, network=classifier, weight_decay=0.1, layer_decay=0.5)
    shares = [(id(parameter), group["lr_share"]) for group in groups for parameter in group["params"]]
    assert len(shares) == len(dict(shares)) == len(list(classifier.parameters()))
    for name, parameter in classifier.named_parameters():
        block = name.removeprefix("backbone.network.")
        is_last = block.startswith(("blocks.1.", "norm."))
        expected = 1.0 if name.startswith("linear.") else 0.5 if is_last else 0.25 if "blocks.0." in block else 0.125
        assert dict(shares)[id(parameter)] == expected, name


def test_a_frozen_vit_keeps_its_tokens() -> None:
    torch.manual_seed(0)
    classifier = Classifier(vit(), num_classes=3, dropout=0.0, num_trained_blocks=1).train()
    classifier(torch.randn(4, 3, 2, 32, 32)).square().sum().backward()
    with_gradient = {name for name, each in classifier.named_parameters() if each.grad is not None}
    after = ("linear.", "backbone.network.blocks.1.", "backbone.network.norm.")
    assert with_gradient == {name for name, _ in classifier.named_parameters() if name.startswith(after)}


def test_a_network_without_batch_norms_has_torch_s_numbers() -> None:
    assert norm_numbers(vit()) == NormNumbers(eps=1e-5, momentum=0.1)
