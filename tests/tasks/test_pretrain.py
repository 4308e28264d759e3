"""Pretraining from a config: how many steps, what a step changes, and which files remain at the end."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from safetensors import safe_open

from sce_video.build.model import build_evaluated_backbone
from sce_video.config.same_run import config_record
from sce_video.tasks.pretrain import build_pretrain_run
from sce_video.tasks.table import TASKS

CPU = torch.device("cpu")


@pytest.mark.parametrize(("batch", "accumulation", "steps"), [(4, 1, 1), (2, 1, 2), (4, 2, 1)])
def test_steps_of_an_epoch_of_four_videos(
    config: Callable[..., CfgNode], batch: int, accumulation: int, steps: int
) -> None:
    cfg = config(
        "pretrain", TRAIN__GLOBAL_BATCH_SIZE=batch, TRAIN__ACCUMULATION_STEPS=accumulation, TRAIN__NUM_EPOCHS=3
    )
    run = build_pretrain_run(cfg, CPU, config_record(cfg))
    assert (run.plan.steps_per_epoch, run.plan.num_steps) == (steps, 3 * steps)
    assert run.loader.steps_per_epoch == steps
    assert run.record["labels"] == ""


def test_the_finished_backbone_is_that_of_the_run(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    TASKS["pretrain"](config("pretrain"), CPU)()
    file = tmp_path / "run" / "backbone.safetensors"
    state = torch.load(tmp_path / "run" / "checkpoints" / "step_00000002.pt", weights_only=True)
    with safe_open(file, framework="pt") as weights:
        about, names = weights.metadata(), set(weights.keys())
        assert names == {name.removeprefix("backbone.") for name in state["model"] if name.startswith("backbone.")}
        assert all(torch.equal(weights.get_tensor(name), state["model"][f"backbone.{name}"]) for name in names)
    assert (about["backbone"], about["step"]) == ("r2plus1d_mini", "2")


def test_a_run_that_is_stopped_has_no_finished_backbone(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    TASKS["pretrain"](config("pretrain", TRAIN__STOP_AT_STEP=1), CPU)()
    assert (tmp_path / "run" / "checkpoints" / "step_00000001.pt").is_file()
    assert not (tmp_path / "run" / "backbone.safetensors").exists()


def test_evaluation_on_other_clips_than_in_training_is_a_warning(
    config: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    TASKS["pretrain"](config("pretrain"), CPU)()
    build_evaluated_backbone(config("knn", EVAL__CHECKPOINT=tmp_path / "run"), size_pixels=32)
    assert "was trained" not in caplog.text
    build_evaluated_backbone(config("knn", EVAL__CHECKPOINT=tmp_path / "run", CLIP__SECONDS=0.25), size_pixels=32)
    assert "backbone.safetensors was trained with CLIP.SECONDS 1.0; this run has CLIP.SECONDS 0.25" in caplog.text
