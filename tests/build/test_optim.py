"""Optimiser and schedules from the config, against the reference code's numbers (eztorch)."""

import pytest
import torch
from fvcore.common.config import CfgNode
from torch import nn

from sce_video.build.method import build_method
from sce_video.build.optim import build_optimizer, build_schedules
from sce_video.config.defaults import default_config


def config(*overrides: object) -> CfgNode:
    cfg = default_config()
    cfg.merge_from_list(list(overrides))
    return cfg


def test_the_supervised_baseline_s_learning_rate() -> None:
    """R3D-18 on K200: 0.4 and 0.01 for 256 videos, a batch of 1,024, 200 epochs of 66 steps, 34 of warm-up."""
    optim = ("OPTIM.NAME", "sgd", "OPTIM.BASE_LR", 0.4, "OPTIM.FINAL_LR", 0.01, "OPTIM.WARMUP_EPOCHS", 34)
    cfg = config(*optim, "TRAIN.GLOBAL_BATCH_SIZE", 1024, "TRAIN.NUM_EPOCHS", 200)
    schedules = build_schedules(cfg, steps_per_epoch=66)
    assert schedules.at(2_243).lr == schedules.at(2_244).lr == pytest.approx(1.6, rel=1e-12)
    assert schedules.at(13_199).lr == pytest.approx(0.04, abs=1e-7)


def test_moco_s_linear_probe() -> None:
    """30 for a batch of 512, a tenth of it after 60 and 80 of 100 epochs; 2,502 steps an epoch on ImageNet."""
    optim = ("OPTIM.BASE_LR", 15.0, "OPTIM.WARMUP_EPOCHS", 0, "OPTIM.DROP_EPOCHS", [60, 80])
    cfg = config("OPTIM.NAME", "sgd", *optim, "TRAIN.GLOBAL_BATCH_SIZE", 512, "TRAIN.NUM_EPOCHS", 100)
    schedules = build_schedules(cfg, steps_per_epoch=2502)
    steps = (0, 150_119, 150_120, 200_159, 200_160, 250_199)
    assert [schedules.at(step).lr for step in steps] == pytest.approx([30, 30, 3, 3, 0.3, 0.3], rel=1e-12)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_ramps_end_with_the_last_step_of_their_epochs(shape: str) -> None:
    names = ("COEFF", "TEMPERATURE", "TARGET_TEMPERATURE")
    ramps = [
        (f"METHOD.{name}_WARMUP_{key}", value) for name in names for key, value in (("EPOCHS", 3), ("SHAPE", shape))
    ]
    starts = ("METHOD.TEMPERATURE_START", 0.2, "METHOD.TARGET_TEMPERATURE_START", 0.04)
    cfg = config(*(item for pair in ramps for item in pair), *starts)
    with torch.device("meta"):
        schedules = build_schedules(cfg, 7, build_method(cfg, steps_per_epoch=7))
    at = [tuple(schedules.at(step).method[name.lower()] for name in names) for step in range(25)]
    assert at[0] == (1.0, 0.2, 0.04)
    assert at[10] == pytest.approx((0.75, 0.15, 0.045))  # the middle of 21 steps
    quarter = 0.25 if shape == "linear" else 0.146447
    assert at[5] == pytest.approx((1 - 0.5 * quarter, 0.2 - 0.1 * quarter, 0.04 + 0.01 * quarter), abs=1e-6)
    assert at[19] != (0.5, 0.1, 0.05)
    assert at[20:] == [(0.5, 0.1, 0.05)] * 5


def test_shapes_of_ramps_are_the_reference_s() -> None:
    method = config().METHOD
    assert (method.COEFF_WARMUP_SHAPE, method.TARGET_TEMPERATURE_WARMUP_SHAPE) == ("linear", "cosine")


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("all_decay", [False, True])
def test_norms_and_biases_decay_only_if_configured(name: str, all_decay: bool) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    nn.init.ones_(module[0].bias)
    cfg = config("OPTIM.NAME", name, "OPTIM.WEIGHT_DECAY", 0.5, "OPTIM.DECAYS_NORMS_AND_BIASES", all_decay)
    optimizer = build_optimizer(cfg, module)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    before = module[0].weight.detach().clone()
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(module[0].weight.detach(), 0.95 * before)
    factor = 0.95 if all_decay else 1.0
    for vector in (module[0].bias, module[1].weight):
        torch.testing.assert_close(vector.detach(), torch.full((3,), factor))
