"""Which tensors decay, and which learn more slowly."""

import pytest
import torch
from torch import nn

from sce_video.optim.groups import decay_groups, layer_groups


def make_module() -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4), nn.Linear(4, 2))


def test_only_tensors_with_two_or_more_dimensions_decay() -> None:
    module = make_module()
    decayed, kept = decay_groups(module, weight_decay=0.1)
    assert decayed["weight_decay"] == 0.1
    assert kept["weight_decay"] == 0
    assert [id(p) for p in decayed["params"]] == [id(module[0].weight), id(module[2].weight)]
    vectors = [module[0].bias, module[1].weight, module[1].bias, module[2].bias]
    assert [id(p) for p in kept["params"]] == [id(p) for p in vectors]


def test_an_optimiser_decays_accordingly() -> None:
    module = make_module()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    for p in module.parameters():
        p.grad = torch.zeros_like(p)
    torch.optim.SGD(decay_groups(module, weight_decay=0.5), lr=0.1).step()
    for name, p in module.named_parameters():
        factor = 0.95 if name in ("0.weight", "2.weight") else 1.0
        torch.testing.assert_close(p.detach(), factor * before[name])


def test_norms_and_biases_decay_too_where_they_are_to() -> None:
    module = make_module()
    groups = decay_groups(module, weight_decay=0.1, decays_norms_and_biases=True)
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(2, 0.1), (4, 0.1)]
    layers = layer_groups(list(module), network=module, weight_decay=0.1, layer_decay=0.5, decays_norms_and_biases=True)
    assert {group["weight_decay"] for group in layers} == {0.1}


def test_frozen_parameters_are_in_neither_group() -> None:
    module = make_module()
    module[0].requires_grad_(False)
    assert [len(group["params"]) for group in decay_groups(module, weight_decay=0.1)] == [1, 3]


def test_the_layout_does_not_depend_on_the_module() -> None:
    groups = decay_groups(nn.Linear(2, 2, bias=False), weight_decay=0.1)
    assert [len(group["params"]) for group in groups] == [1, 0]
    assert len(torch.optim.AdamW(groups).state_dict()["param_groups"]) == 2


class Tokens(nn.Module):
    """A class token and positions, which have two or more dimensions, and a layer; the names are timm's."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.cls_token, self.pos_embed = nn.Parameter(torch.ones(1, 1, 2)), nn.Parameter(torch.ones(3, 2))
        self.layer = nn.Linear(2, 2)
        self.names = set(names)

    def no_weight_decay(self) -> set[str]:
        return self.names


def test_what_a_network_names_does_not_decay() -> None:
    network = Tokens("cls_token", "pos_embed", "dist_token")  # timm's ViT names the last one too
    whole = nn.Sequential(network, nn.Linear(2, 1, bias=False))
    decayed, kept = decay_groups(whole, weight_decay=0.1)
    assert [id(each) for each in decayed["params"]] == [id(network.layer.weight), id(whole[1].weight)]
    assert [id(each) for each in kept["params"]] == [
        *(id(network.cls_token), id(network.pos_embed), id(network.layer.bias))
    ]
    everything = decay_groups(whole, weight_decay=0.1, decays_norms_and_biases=True)
    assert [group["weight_decay"] for group in everything] == [0.1, 0.1]
    assert [len(group["params"]) for group in decay_groups(Tokens(), weight_decay=0.1)] == [3, 1]


def test_what_a_network_names_does_not_decay_in_a_layer_that_is_a_list() -> None:
    network = Tokens("cls_token", "pos_embed")
    layers = [nn.ParameterList([network.cls_token, network.pos_embed]), network.layer]
    groups = layer_groups(layers, network=network, weight_decay=0.1, layer_decay=0.5)
    assert [(len(each["params"]), each["weight_decay"], each["lr_share"]) for each in groups] == [
        *((0, 0.1, 0.5), (2, 0.0, 0.5)),
        *((1, 0.1, 1.0), (1, 0.0, 1.0)),
    ]


def test_negative_weight_decay() -> None:
    with pytest.raises(ValueError, match=r"weight_decay is -0\.1; it must be at least 0"):
        decay_groups(make_module(), weight_decay=-0.1)


def test_earlier_layers_learn_more_slowly() -> None:
    layers = [nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)]
    groups = layer_groups(layers, network=nn.Sequential(*layers), weight_decay=0.1, layer_decay=0.5)
    shares = {id(p): group["lr_share"] for group in groups for p in group["params"]}
    assert [shares[id(p)] for layer in layers for p in layer.parameters()] == [0.25, 0.25, 0.5, 0.5, 1, 1]
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert [decays[id(p)] for layer in layers for p in layer.parameters()] == [0.1, 0, 0, 0, 0.1, 0]


@pytest.mark.parametrize("layer_decay", [0.0, 1.1, -0.5])
def test_layer_decay_out_of_range(layer_decay: float) -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=rf"layer_decay is {layer_decay}; it must be in \(0, 1\]"):
        layer_groups([layer], network=layer, weight_decay=0.1, layer_decay=layer_decay)
