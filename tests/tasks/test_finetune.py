"""Training on labels: which weights each task trains, and what its results record."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.build.model import build_classifier
from sce_video.errors import CheckpointError, ConfigError
from sce_video.runtime.checkpoints import load_checkpoint
from sce_video.tasks.table import TASKS
from tests.tasks.conftest import NUM_CLASSES

CPU = torch.device("cpu")
FAST = {"OPTIM__NAME": "sgd", "OPTIM__BASE_LR": 1.0, "OPTIM__WEIGHT_DECAY": 0.0}


def changed_parts(cfg: CfgNode, run: Path, *, step: int) -> set[str]:
    """Of which children of the classifier a parameter differs from a start with the same seed."""
    torch.manual_seed(0)
    start, _ = build_classifier(cfg, num_classes=NUM_CLASSES, dropout=0.0, num_trained_blocks=-1)
    end = load_checkpoint(run / "checkpoints" / f"step_{step:08d}.pt")["model"]
    return {name.split(".")[0] for name, value in start.named_parameters() if not torch.equal(value, end[name])}


def test_finetuning_trains_all_and_a_linear_probe_the_classifier(
    config: Callable[..., CfgNode], tmp_path: Path
) -> None:
    finetuning = config("finetune", **FAST, MODEL__DROPOUT=0.0)
    TASKS["finetune"](finetuning, CPU)()
    assert changed_parts(finetuning, tmp_path / "run", step=2) == {"backbone", "linear"}
    probe = config("linear", **FAST, RUN__OUTPUT_DIR=tmp_path / "probe")
    TASKS["linear"](probe, CPU)()
    assert changed_parts(probe, tmp_path / "probe", step=2) == {"linear"}


@pytest.mark.parametrize(
    ("task", "dropout", "num_trained_blocks"),
    [("finetune", 0.25, 2), ("linear", 0.0, 0)],
)
def test_results_name_the_recipe(
    config: Callable[..., CfgNode], tmp_path: Path, task: str, dropout: float, num_trained_blocks: int
) -> None:
    more = {"MODEL__DROPOUT": 0.25, "MODEL__NUM_TRAINED_BLOCKS": 2} if task == "finetune" else {}
    TASKS[task](config(task, **FAST, **more), CPU)()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    recipe = {"num_epochs": 2, "global_batch_size": 4, "optimizer": "sgd", "base_lr": 1.0, "weight_decay": 0.0}
    assert {**recipe, "dropout": dropout, "num_trained_blocks": num_trained_blocks}.items() <= results[
        "protocol"
    ].items()
    assert results["metrics"].keys() == {f"{task}_{name}" for name in ("top1", "top5", "mean_class")}
    assert (results["num_evaluated"], results["num_failed_in_training"]) == (4, 0)
    lines = (tmp_path / "run" / "predictions.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [f"test{i}.png" for i in range(4)]


def test_a_stopped_run_is_not_tested(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    TASKS["linear"](config("linear", **FAST, TRAIN__STOP_AT_STEP=1), CPU)()
    assert not (tmp_path / "run" / "results.json").exists()


def test_other_labels_of_the_same_videos_are_another_run(
    config: Callable[..., CfgNode], pictures: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "train.txt"
    listed.write_text((pictures / "train.txt").read_text())
    TASKS["linear"](config("linear", **FAST, DATA__TRAIN=listed, TRAIN__STOP_AT_STEP=1), CPU)()
    listed.write_text("".join(f"train{i}.png {3 - i}\n" for i in range(4)))
    with pytest.raises(CheckpointError, match="label"):
        TASKS["linear"](config("linear", **FAST, DATA__TRAIN=listed), CPU)


def test_more_blocks_than_there_are(config: Callable[..., CfgNode]) -> None:
    with pytest.raises(ConfigError, match=r"MODEL\.NUM_TRAINED_BLOCKS is 99; r2plus1d_mini has \d+ blocks"):
        TASKS["finetune"](config("finetune", MODEL__NUM_TRAINED_BLOCKS=99), CPU)
