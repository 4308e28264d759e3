"""What networks see: differences by hand and by symmetry, widened stems, and calls of backbones."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sce_video.augment.apply import plain_view
from sce_video.models.backbones import BACKBONES, make_backbone
from sce_video.models.base import Backbone
from sce_video.models.representation import (
    REPRESENTATIONS,
    absolute_differences,
    differences,
    frames_and_differences,
    widen_stem,
)
from tests.models.inputs import INPUT

NAME = "r2plus1d_mini"
OTHERS = [name for name in REPRESENTATIONS if name != "rgb"]


def backbone(representation: str, *, name: str = NAME, seed: int = 0) -> Backbone:
    torch.manual_seed(seed)
    return make_backbone(name, input=replace(INPUT, representation=representation)).eval()


def gray(*frames: float) -> Tensor:
    """Of one pixel and one channel, (1, 1, T, 1, 1)."""
    return torch.tensor(frames).view(1, 1, -1, 1, 1)


def noise(num_frames: int = 4) -> Tensor:
    return torch.randn(2, 3, num_frames, 32, 32, generator=torch.Generator().manual_seed(1))


def test_differences_by_hand() -> None:
    frames = gray(0.0, 2.0, 1.5, 1.5)
    assert differences(frames).flatten().tolist() == [-2.0, 0.5, 0.0, 0.0]
    assert absolute_differences(frames).flatten().tolist() == [2.0, 0.5, 0.0, 0.0]
    both = frames_and_differences(frames)
    assert both.shape == (1, 2, 4, 1, 1)
    assert torch.equal(both[:, :1], frames)
    assert both[:, 1:].flatten().tolist() == [-2.0, 0.5, 0.0, 0.0]
    assert differences(gray(3.0, 1.0)).flatten().tolist() == [2.0, 2.0]  # the only difference, twice


def test_a_difference_is_of_values_divided_by_the_deviation() -> None:
    """Frames of 51 and 102, 0.2 and 0.4, with a deviation of 0.1 and any mean: 0.2 / 0.1."""
    clips = torch.stack([torch.full((3, 1, 1), value, dtype=torch.uint8) for value in (51, 102)])[None]
    for mean in (0.0, 0.45):
        seen = differences(plain_view(clips, mean=(mean,) * 3, std=(0.1,) * 3))
        torch.testing.assert_close(seen, torch.full((1, 3, 2, 1, 1), -2.0))


def test_a_still_clip_has_no_differences() -> None:
    still = noise(1).expand(-1, -1, 5, -1, -1)
    assert not differences(still).any()
    assert not absolute_differences(still).any()
    assert not frames_and_differences(still)[:, 3:].any()


def test_a_reversed_clip_has_the_reversed_differences_with_the_other_sign() -> None:
    views = noise(5)
    forwards, backwards = differences(views), differences(views.flip(2))
    assert torch.equal(backwards[:, :, :4], -forwards[:, :, :4].flip(2))  # the fifth is the fourth again
    assert torch.equal(absolute_differences(views.flip(2))[:, :, :4], absolute_differences(views)[:, :, :4].flip(2))


def test_mirroring_commutes_with_differences() -> None:
    views = noise()
    assert torch.equal(differences(views.flip(-1)), differences(views).flip(-1))


@pytest.mark.parametrize("representation", OTHERS)
def test_a_single_frame_is_refused(representation: str) -> None:
    with pytest.raises(ValueError, match="a view of a single frame has no difference; use two or more frames"):
        backbone(representation)(noise(1))


@pytest.mark.parametrize("representation", ["difference", "absolute_difference"])
def test_a_backbone_sees_its_representation(representation: str) -> None:
    """Of the same weights, given RGB: what the network for RGB makes of the differences."""
    views = noise()
    seen = {"difference": differences, "absolute_difference": absolute_differences}[representation](views)
    assert torch.equal(backbone(representation)(views), backbone("rgb")(seen))


def test_a_copy_of_a_backbone_sees_the_same() -> None:
    """As the momentum encoder is one."""
    network = backbone("difference")
    assert torch.equal(copy.deepcopy(network)(noise()), network(noise()))


def test_a_backbone_of_differences_cannot_tell_still_clips_apart() -> None:
    network = backbone("difference")
    stills = noise(1).expand(-1, -1, 4, -1, -1)
    one, other = network(stills)
    assert torch.equal(one, other)
    assert not torch.equal(*network(noise()))


@pytest.mark.parametrize("name", ["r2plus1d_mini", "resnet18", "vit_s", "timm/test_resnet"])
def test_a_stem_is_widened_by_its_own_kernels_in_another_order(name: str) -> None:
    narrow, wide = backbone("rgb", name=name), backbone("rgb_and_difference", name=name)
    different = [key for key, value in narrow.state_dict().items() if value.shape != wide.state_dict()[key].shape]
    (stem,) = different  # all other tensors are as drawn for RGB
    before, after = narrow.state_dict()[stem], wide.state_dict()[stem]
    assert torch.equal(after[:, :3], before)
    assert torch.equal(after[:, 3:], before.flip(0))
    assert wide(noise()).shape == narrow(noise()).shape


@pytest.mark.thorough
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_can_be_widened(name: str) -> None:
    with torch.device("meta"):
        backbone("rgb_and_difference", name=name)


def test_a_network_without_a_single_stem_is_not_widened() -> None:
    two = nn.ModuleList([nn.Conv2d(3, 4, 1), nn.Conv2d(3, 5, 1)])
    with pytest.raises(ValueError, match="2 convolutions take 3 channels; there must be one"):
        widen_stem(two, num_channels=6)
