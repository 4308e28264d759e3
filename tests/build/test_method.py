"""Methods from the config: their parts and numbers, and the order in which weights are initialised."""

from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from torch import nn

from sce_video.build.method import build_method
from sce_video.config.defaults import default_config
from sce_video.errors import CheckpointError, ConfigError
from sce_video.methods.base import Method
from sce_video.methods.byol import BYOL
from sce_video.methods.moco_v2 import MoCoV2
from sce_video.methods.moco_v3 import MoCoV3
from sce_video.methods.ressl import ReSSL
from sce_video.methods.sce import SCE
from sce_video.methods.simclr import SimCLR
from sce_video.methods.table import METHODS
from sce_video.models.backbones import make_backbone
from sce_video.models.heads import mlp
from sce_video.models.split_norm import SplitBatchNorm
from sce_video.models.weights import save_backbone
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
    "moco_v2": (
        MoCoV2,
        {"temperature", "ema_momentum"},
        {"backbone", "projector", "predictor", "momentum_backbone", "momentum_projector", "queue"},
    ),
    "ressl": (
        ReSSL,
        {"temperature", "target_temperature", "ema_momentum"},
        {"backbone", "projector", "predictor", "momentum_backbone", "momentum_projector", "queue"},
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


@pytest.mark.parametrize(("shape", "middle", "last"), [("cosine", 0.95, 1.0), ("constant", 0.9, 0.9)])
def test_shape_of_the_ema_momentum(shape: str, middle: float, last: float) -> None:
    """Half way along the cosine from 0.9 is 0.95."""
    method = build_method(config("METHOD.EMA_MOMENTUM", 0.9, "METHOD.EMA_SHAPE", shape), steps_per_epoch=5)
    ema = method.scheduled["ema_momentum"]
    assert [ema.at(step, num_steps=101) for step in (0, 50, 100)] == pytest.approx([0.9, middle, last], rel=1e-12)


@pytest.mark.parametrize("name", ["sce", "moco_v2", "ressl"])
@pytest.mark.parametrize("is_on", [True, False])
def test_switches_of_the_queue_methods_arrive(name: str, is_on: bool) -> None:
    overrides = ("METHOD.NAME", name, "METHOD.SYMMETRIC", is_on, "METHOD.VIEWS_TOGETHER", not is_on)
    method = build_method(config(*overrides), steps_per_epoch=5)
    assert (method.symmetric, method.views_together) == (is_on, not is_on)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_a_ramp_of_epochs_reaches_its_end_at_their_last_step(shape: str) -> None:
    """3 epochs of 7 steps: at step 20, as in the reference code; half way, both shapes are in the middle."""
    names = {"COEFF": (1.0, 0.5), "TEMPERATURE": (0.3, 0.1), "TARGET_TEMPERATURE": (0.05, 0.07)}
    overrides: list[object] = []
    for name, (start, end) in names.items():
        of_key = {"_START": start, "": end, "_WARMUP_EPOCHS": 3, "_WARMUP_SHAPE": shape}
        overrides += [part for suffix, value in of_key.items() for part in (f"METHOD.{name}{suffix}", value)]
    method = build_method(config(*overrides), steps_per_epoch=7)
    for name, (start, end) in names.items():
        values = [method.scheduled[name.lower()].at(step, num_steps=70) for step in (0, 10, 19, 20, 21, 69)]
        assert values == pytest.approx([start, (start + end) / 2, values[2], end, end, end], rel=1e-12)
        assert min(start, end) < values[2] < max(start, end)


@pytest.mark.parametrize(("shape", "quarter_way"), [("linear", 0.25), ("cosine", (1 - 0.5**0.5) / 2)])
@pytest.mark.parametrize("warmup_epochs", [0, 3])
def test_the_coefficient_may_end_elsewhere(shape: str, quarter_way: float, warmup_epochs: int) -> None:
    """From 0.6, at the last step of a warm-up of 3 epochs of 7 steps or at the first step, to 0.2 at the last step."""
    final = ("METHOD.COEFF_FINAL", 0.2, "METHOD.COEFF_FINAL_SHAPE", shape)
    cfg = config("METHOD.COEFF", 0.6, "METHOD.COEFF_WARMUP_EPOCHS", warmup_epochs, *final)
    coeff = build_method(cfg, steps_per_epoch=7).scheduled["coeff"]
    start = 20 if warmup_epochs else 0
    steps = [start + part for part in (0, 20, 40, 80)]
    expected = [0.6, 0.6 - 0.4 * quarter_way, 0.4, 0.2]
    assert [coeff.at(step, num_steps=start + 81) for step in steps] == pytest.approx(expected, rel=1e-12)
    if warmup_epochs:
        assert [coeff.at(step, num_steps=101) for step in (0, 10)] == pytest.approx([1.0, 0.8], rel=1e-12)


def test_without_a_hidden_dim_there_is_no_predictor() -> None:
    method = build_method(config("MODEL.PREDICTOR_HIDDEN_DIM", 0), steps_per_epoch=5)
    assert isinstance(method.get_submodule("predictor"), nn.Identity)


def test_pretraining_starts_from_weights(tmp_path: Path) -> None:
    """Both branches have all of them: the first keys are those of the network in the file; heads are drawn as ever."""
    torch.manual_seed(5)
    given = make_backbone("r2plus1d_mini", input=INPUT)
    save_backbone(given, tmp_path / "given.safetensors", name="r2plus1d_mini", step=7)
    methods = []
    for weights in ("", str(tmp_path / "given.safetensors")):
        torch.manual_seed(4)
        methods.append(build_method(config("MODEL.WEIGHTS", weights), steps_per_epoch=5))
    for part in ("backbone", "momentum_backbone"):
        loaded = methods[1].get_submodule(part).state_dict()
        assert all(torch.equal(value, loaded[name]) for name, value in given.state_dict().items())
    views = torch.randn(4, 3, 2, 32, 32)
    expected = nn.functional.normalize(methods[0].get_submodule("projector")(given(views)))
    assert isinstance(methods[1], SCE)
    torch.testing.assert_close(methods[1].encode_key(views), expected)


def test_weights_that_do_not_fit_name_their_key(tmp_path: Path) -> None:
    save_backbone(make_backbone("r2plus1d_mini", input=INPUT), tmp_path / "a.safetensors", name="s3d", step=7)
    with pytest.raises(CheckpointError, match=r"^MODEL\.WEIGHTS: .*a\.safetensors has the backbone s3d, but MODEL"):
        build_method(config("MODEL.WEIGHTS", str(tmp_path / "a.safetensors")), steps_per_epoch=5)


def test_a_projector_ends_with_a_norm_or_a_bias() -> None:
    """SCE's for videos has eight layers after which no bias is left; CIFAR's ends with a linear layer."""
    with_norm = build_method(config(), steps_per_epoch=5).get_submodule("projector")
    with_bias = build_method(config("MODEL.PROJECTOR_ENDS_WITH_NORM", False), steps_per_epoch=5)
    assert (len(with_norm), type(with_norm[7]), with_norm[6].bias) == (8, nn.BatchNorm1d, None)
    layers = with_bias.get_submodule("projector")
    assert [layer.bias is not None for layer in layers if isinstance(layer, nn.Linear)] == [False, False, True]
    assert type(layers[-1]) is nn.Linear


@pytest.mark.parametrize(("recomputes", "num_calls"), [(False, 2), (True, 4)])
def test_activations_are_recomputed_if_the_config_says_so(recomputes: bool, num_calls: int) -> None:
    """Layers inside a block run once per view, and once more in the backward pass."""
    method = build_method(
        config("METHOD.NAME", "simclr", "TRAIN.RECOMPUTES_ACTIVATIONS", recomputes), steps_per_epoch=5
    )
    calls: list[nn.Module] = []
    method.get_submodule("backbone.layer1.0.conv2").register_forward_pre_hook(lambda layer, _: calls.append(layer))
    method(list(torch.randn(2, 4, 3, 2, 32, 32)), at={"temperature": 0.1}).backward()
    assert len(calls) == num_calls


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


def test_the_momentum_encoder_alone_has_norms_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = config("MODEL.MOMENTUM_NORM_GROUPS", 4)
    method = build_method(cfg, steps_per_epoch=5)
    split = {name.partition(".")[0] for name, part in method.named_modules() if isinstance(part, SplitBatchNorm)}
    assert split == {"momentum_backbone"}
    assert list(method.state_dict()) == list(build_method(config(), steps_per_epoch=5).state_dict())
    monkeypatch.setattr("sce_video.build.method.num_ranks", lambda: 2)
    with pytest.raises(ConfigError, match="MODEL.MOMENTUM_NORM_GROUPS is 4; on 2 ranks it must be 1"):
        build_method(cfg, steps_per_epoch=5)
