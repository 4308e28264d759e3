"""Vision transformers on tubelets: against torchvision's for images, and counted by hand."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from sce_video.models.backbones import make_backbone
from sce_video.models.base import require_whole_blocks
from sce_video.models.vit import TubeletViT, positions
from tests.models.inputs import INPUT

WIDTH = 24


def small_vit() -> TubeletViT:
    torch.manual_seed(0)
    network = TubeletViT(width=WIDTH, num_blocks=2, num_heads=3, input=INPUT).eval()
    for name, parameter in network.named_parameters():  # fresh biases and norms would hide errors
        if parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 1.5) if name.endswith("weight") else nn.init.normal_(parameter, std=0.2)
    nn.init.normal_(network.class_token)
    return network


def views(*shape: int) -> Tensor:
    return torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "width"), [("vit_s", 384), ("vit_b", 768)])
def test_number_of_parameters_by_hand(name: str, width: int) -> None:
    """Per block: query, key, value and output of the attention, 4 D hidden units, two norms."""
    attention, mlp = 4 * (width * width + width), 2 * 4 * width * width + 5 * width
    block = attention + mlp + 2 * 2 * width
    stem, norm = 3 * 2 * 16 * 16 * width + width + width, 2 * width  # kernel, bias, class token
    with torch.device("meta"):
        network = make_backbone(name, input=INPUT)
    assert sum(each.numel() for each in network.parameters()) == 12 * block + stem + norm
    assert {"vit_s": 21_884_928, "vit_b": 86_237_184}[name] == 12 * block + stem + norm  # VideoMAE: 22 and 87 million
    assert (network.feature_dim, len(network.blocks_in_order())) == (width, 1 + 12)


def test_multiplications_by_hand() -> None:
    """56.9 GMACs of 16 frames of 224 pixels, which test_networks.py measures."""
    width, tokens = 384, 8 * 14 * 14 + 1
    block = 12 * tokens * width**2 + 2 * tokens**2 * width
    assert round((12 * block + (tokens - 1) * 3 * 2 * 16 * 16 * width) / 1e9, 1) == 56.9


@pytest.mark.rounding
@torch.no_grad()
def test_an_image_has_the_feature_of_torchvision_s_transformer() -> None:
    """Whose positions are learnt, and whose patch sees the two frames of a still tubelet as their sum."""
    ours = small_vit()
    library = VisionTransformer(
        *(48, 16, 2, 3, WIDTH, 4 * WIDTH), norm_layer=partial(nn.LayerNorm, eps=1e-6), num_classes=2
    )
    library.heads = nn.Identity()  # type: ignore[assignment]
    library.conv_proj.weight.copy_(ours.tubelets.weight.sum(dim=2))
    library.conv_proj.bias.copy_(ours.tubelets.bias)
    library.class_token.copy_(ours.class_token)
    library.encoder.pos_embedding.zero_()
    library.encoder.pos_embedding[0, 1:] = positions((1, 3, 3), like=ours.class_token)
    library.encoder.layers.load_state_dict(
        {f"encoder_layer_{key}": value for key, value in ours.blocks.state_dict().items()}
    )
    library.encoder.ln.load_state_dict(ours.norm.state_dict())
    image = views(1, 48, 48)
    features = ours(image)
    assert features.std() > 0.1
    torch.testing.assert_close(features, library.eval()(image[:, :, 0]), rtol=1e-4, atol=1e-5)


def test_positions_one_by_one() -> None:
    """Sines, then cosines, of time, height, width; the first number of each turns by one radian per tubelet."""
    expected = [
        [
            turn(place * 10_000 ** (-index / 4))
            for place in (time, row, column)
            for turn in (math.sin, math.cos)
            for index in range(4)
        ]
        for time in range(2)
        for row in range(3)
        for column in range(2)
    ]
    found = positions((2, 3, 2), like=torch.empty(1, 1, 24, dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-6)


def test_positions_of_a_smaller_view_are_those_of_a_larger_one() -> None:
    like = torch.empty(12)
    large, small = positions((4, 7, 7), like=like).view(4, 7, 7, 12), positions((2, 3, 5), like=like)
    assert torch.equal(large[:2, :3, :5].flatten(0, 2), small)


@torch.no_grad()
def test_an_image_is_a_still_video_of_two_frames() -> None:
    network, image, clip = small_vit(), views(1, 32, 32), views(3, 32, 48)
    assert torch.equal(network(image), network(image.expand(-1, -1, 2, -1, -1)))
    assert torch.equal(network(clip), network(torch.cat([clip, clip[:, :, 2:]], dim=2)))


@torch.no_grad()
def test_order_of_frames_and_places_matter() -> None:
    network, clip = small_vit(), views(4, 32, 32)
    for turned in (clip.flip(2), clip.roll(2, dims=2), clip.roll(16, dims=3), clip.roll(16, dims=4)):
        assert (network(clip) - network(turned)).abs().max() > 0.01


def test_a_view_has_one_feature_in_training_and_whole_blocks() -> None:
    network = small_vit().train()
    require_whole_blocks(network)
    assert torch.equal(network(views(2, 32, 32)), network(views(2, 32, 32)))
    assert network.no_weight_decay() == {"class_token"}


def test_a_side_that_is_not_a_multiple_of_16() -> None:
    with pytest.raises(
        ValueError, match="have a width of 40 pixels; it must be a multiple of 16, for example 32 or 48"
    ):
        small_vit()(views(2, 32, 40))


def test_first_weights() -> None:
    """MoCo v3: tubelets uniform in +-sqrt(6 / (inputs + outputs)), no biases, a class token that is almost 0."""
    torch.manual_seed(0)
    network = TubeletViT(width=96, num_blocks=1, num_heads=3, input=INPUT)
    bound = math.sqrt(6 / (3 * 2 * 16 * 16 + 96))
    weight = network.tubelets.weight
    assert 0.99 * bound < weight.abs().max().item() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert network.tubelets.bias is not None
    assert not network.tubelets.bias.any()
    assert 0 < network.class_token.abs().max() < 1e-5
