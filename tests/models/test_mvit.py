"""MViTs against torchvision's own."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torchvision.models import video
from torchvision.ops import StochasticDepth

from sce_video.models.backbones import BACKBONES, make_backbone
from sce_video.models.base import AcceptedViews, require_whole_blocks
from sce_video.models.mvit import MViTBackbone
from tests.models.inputs import INPUT
from tests.models.small_mvit import FRAMES, PIXELS, small_mvit, small_network

LIBRARIES: dict[str, Callable[[], nn.Module]] = {"mvit_v1_b": video.mvit_v1_b, "mvit_v2_s": video.mvit_v2_s}
# torchvision's tables, with a classifier of 400 classes.
PARAMETERS = {"mvit_v1_b": 36_610_672, "mvit_v2_s": 34_537_744}


@pytest.mark.rounding
@pytest.mark.parametrize("version", [1, 2])
@torch.no_grad()
def test_the_feature_is_what_the_library_s_classifier_sees(version: int) -> None:
    torch.manual_seed(0)
    library = small_network(version).eval()
    views = torch.randn(3, 3, FRAMES, PIXELS, PIXELS)
    accepted = AcceptedViews(num_frames=FRAMES, size_pixels=PIXELS)
    features = MViTBackbone(library, input=INPUT, accepted=accepted).eval()(views)
    assert features.std() > 0.1
    torch.testing.assert_close(library.head(features), library(views), rtol=1e-4, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.rounding
@pytest.mark.parametrize("name", sorted(LIBRARIES))
@torch.no_grad()
def test_the_whole_network_with_the_weights_of_the_library(name: str) -> None:
    torch.manual_seed(0)
    library, ours = LIBRARIES[name]().eval(), make_backbone(name, input=INPUT).eval()
    state = {key: value for key, value in library.state_dict().items() if not key.startswith("head.")}
    ours.load_state_dict(state, strict=True)
    views = torch.randn(1, 3, 16, 224, 224)
    torch.testing.assert_close(library.head(ours(views)), library(views), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_names_and_number_of_parameters(name: str) -> None:
    with torch.device("meta"):
        library, ours = LIBRARIES[name](), make_backbone(name, input=INPUT)
    kept = {key: value.shape for key, value in library.state_dict().items() if not key.startswith("head.")}
    assert {key: value.shape for key, value in ours.state_dict().items()} == kept
    assert sum(each.numel() for each in ours.parameters()) == PARAMETERS[name] - 400 * 769
    assert len(ours.blocks_in_order()) == 1 + 16
    assert ours.feature_dim == 768


@pytest.mark.parametrize("version", [1, 2])
def test_a_view_has_one_feature_in_training(version: int) -> None:
    """No dropout, no stochastic depth."""
    backbone = small_mvit(version).train()
    require_whole_blocks(backbone)
    view = torch.randn(1, 3, FRAMES, PIXELS, PIXELS)
    assert torch.equal(backbone(view), backbone(view))
    backbone(view).sum().backward()
    assert [name for name, each in backbone.named_parameters() if each.grad is None] == []
    with torch.device("meta"):
        full = make_backbone(sorted(LIBRARIES)[version - 1], input=INPUT)
    rates = [each.p for each in full.modules() if isinstance(each, nn.Dropout | StochasticDepth)]
    assert len(rates) >= 16
    assert set(rates) == {0.0}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((FRAMES + 1, PIXELS, PIXELS), "have 5 frames; it must be 4"),
        ((FRAMES, 48, PIXELS), "have a height of 48 pixels; it must be 32"),
        ((FRAMES, PIXELS, 64), "have a width of 64 pixels; it must be 32"),
    ],
)
def test_other_views_are_refused(shape: tuple[int, int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        small_mvit(2)(torch.zeros(1, 3, *shape))
    with pytest.raises(ValueError, match=r"expected \(B, C, T, H, W\)"):
        small_mvit(2)(torch.zeros(3, *shape))


def test_class_token_and_positions_do_not_decay() -> None:
    assert small_mvit(1).no_weight_decay() == {
        *("pos_encoding.class_token", "pos_encoding.class_pos"),
        *("pos_encoding.spatial_pos", "pos_encoding.temporal_pos"),
    }
    relative = {f"blocks.{block}.attn.rel_pos_{axis}" for block in range(3) for axis in "hwt"}
    assert small_mvit(2).no_weight_decay() == {"pos_encoding.class_token", *relative}


def test_they_are_in_the_table() -> None:
    assert set(LIBRARIES) <= set(BACKBONES)
