"""Methods from the config: their parts and numbers, and the order in which weights are initialised."""

import pytest
import torch
from fvcore.common.config import CfgNode
from torch import nn

from sce_video.build.method import build_method
from sce_video.config.defaults import default_config
from sce_video.methods.base import Method
from sce_video.methods.byol import BYOL
from sce_video.methods.moco_v3 import MoCoV3
from sce_video.methods.sce import SCE
from sce_video.methods.simclr import SimCLR
from sce_video.methods.table import METHODS
from sce_video.models.backbones import make_backbone
from sce_video.models.heads import mlp
from tests.models.inputs import INPUT

SMALL = ("MODEL.BACKBONE", "r2plus1d_mini", "MODEL.PROJECTOR_DIMS", [24, 20, 12], "MODEL.PREDICTOR_HIDDEN_DIM", 16)


def config(*overrides: object) -> CfgNode:
    cfg = default_config()
    cfg.merge_from_list([*SMALL, "METHOD.QUEUE_LENGTH", 40, *overrides])
    return cfg


def shapes(module: nn.Module) -> list[tuple[int, int]]:
    return [(each.in_features, each.out_features) for each in module.modules() if isinstance(each, nn.Linear)]


# name -> class, scheduled scalars, submodules
KINDS: dict[str, tuple[type[Method], set[str], set[str]]] = {
    "sce": (
        SCE,
        {"coeff", "temperature", "target_temperature", "ema_momentum"},
        {"backbone", "projector", "predictor", "momentum_backbone", "momentum_projector", "queue"},
    ),
    "moco_v3": (
        MoCoV3,
        {"temperature", "ema_momentum"},
        {"backbone", "projector", "predictor", "momentum_backbone", "momentum_projector"},
    ),
    "byol": (
        BYOL,
        {"ema_momentum"},
        {"backbone", "projector", "predictor", "momentum_backbone", "momentum_projector"},
    ),
    "simclr": (SimCLR, {"temperature"}, {"backbone", "projector"}),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_its_parts_and_scalars(name: str) -> None:
    kind, scalars, parts = KINDS[name]
    method = build_method(config("METHOD.NAME", name), steps_per_epoch=5)
    assert type(method) is kind
    assert set(method.scheduled) == scalars
    assert {each for each, _ in method.named_children()} == parts
    assert shapes(method.get_submodule("projector")) == [(128, 24), (24, 20), (20, 12)]
    if "predictor" in parts:
        assert shapes(method.get_submodule("predictor")) == [(12, 16), (16, 12)]


def test_the_numbers_of_the_config_arrive() -> None:
    numbers = ("METHOD.COEFF", 0.3, "METHOD.TEMPERATURE", 0.2, "METHOD.TARGET_TEMPERATURE", 0.07)
    cfg = config(*numbers, "METHOD.EMA_MOMENTUM", 0.9, "METHOD.IN_BATCH_KEYS", True)
    method = build_method(cfg, steps_per_epoch=5)
    assert isinstance(method, SCE)
    at = {name: scalar.at(0, num_steps=100) for name, scalar in method.scheduled.items()}
    assert at == {"coeff": 0.3, "temperature": 0.2, "target_temperature": 0.07, "ema_momentum": 0.9}
    assert method.scheduled["ema_momentum"].at(99, num_steps=100) == pytest.approx(1.0, abs=1e-3)
    assert method.queue.keys.shape == (40, 12)
    assert method.in_batch_keys


def test_without_a_hidden_dim_there_is_no_predictor() -> None:
    method = build_method(config("MODEL.PREDICTOR_HIDDEN_DIM", 0), steps_per_epoch=5)
    assert isinstance(method.get_submodule("predictor"), nn.Identity)


def test_weights_are_initialised_in_the_order_backbone_predictor_projector() -> None:
    """A seed must give the same run in every version."""
    torch.manual_seed(4)
    method = build_method(config(), steps_per_epoch=5)
    torch.manual_seed(4)
    expected = {
        "backbone": make_backbone("r2plus1d_mini", input=INPUT),
        "predictor": mlp([12, 16, 12], last_norm=False),
        "projector": mlp([128, 24, 20, 12], last_norm=True),
    }
    for part, module in expected.items():
        ours = method.get_submodule(part).state_dict()
        assert all(torch.equal(value, ours[name]) for name, value in module.state_dict().items()), part
    for part in ("backbone", "projector"):
        following = method.get_submodule(f"momentum_{part}")
        assert all(map(torch.equal, following.parameters(), expected[part].parameters()))
        assert not any(each.requires_grad for each in following.parameters())
