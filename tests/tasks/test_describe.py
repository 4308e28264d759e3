"""Data on a run's page that is not in its files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.errors import UserError
from sce_video.evaluate.feature_files import read_features
from sce_video.report.reported import ReportedRun
from sce_video.tasks.describe import build_reported_runs, describe_runs
from sce_video.tasks.extract import extract_task
from sce_video.tasks.on_features import on_features_task

CPU = torch.device("cpu")


def reported(cfg: CfgNode) -> ReportedRun:
    (run,) = build_reported_runs([cfg], names=["ours"])
    return run


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([{}], "knn, test.txt, r2plus1d_mini"),
        ([{}, {"RUN__SEED": 3}], "knn, test.txt, r2plus1d_mini"),
        ([{}, {"MODEL__BACKBONE": "r3d_18"}], "2 runs"),
        (
            [{"DATA__SOURCE": "ucf101", "DATA__SPLITS_DIR": "splits", "DATA__SPLIT": split} for split in (1, 3)],
            "knn, ucf101 split 1, 3, r2plus1d_mini",
        ),
        ([{"DATA__SOURCE": "cifar10"}], "knn, cifar10, r2plus1d_mini"),
        (
            [{"DATA__TEST": "s3://bucket/val{split}.csv", "DATA__SPLIT": 2}],
            "knn, val2.csv, r2plus1d_mini",
        ),
    ],
)
def test_runs_in_a_line(config: Callable[..., CfgNode], runs: list[dict], words: str) -> None:
    assert describe_runs([config("knn", **run) for run in runs]) == words


def test_pretraining_is_named_by_its_training_list(config: Callable[..., CfgNode]) -> None:
    assert describe_runs([config("pretrain")]) == "pretrain, train.txt, r2plus1d_mini"


def test_a_run_in_its_last_epoch_is_not_judged_as_if_it_had_ended(
    config: Callable[..., CfgNode], tmp_path: Path
) -> None:
    """2,010 of 4,000 steps of 2 epochs; falling by 0.00025 a step from 7.6, the loss is below 6.93 after 2,780."""
    cfg = config("pretrain", TRAIN__NUM_EPOCHS=2)
    lines = [
        {"step": step, "num_steps": 4000, "loss": 7.6 - 0.00025 * (step - 100), "loss_chance": 6.93}
        for step in range(9, 2010, 10)
    ]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    learning = reported(cfg).learning
    assert learning is not None
    assert learning.sentence.startswith("too early to say")
    assert not learning.is_alarm


def test_a_retrieval_with_pictures_and_a_map(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    cfg = config("retrieval", EVAL__RETRIEVAL_RANKS="1")
    on_features_task(cfg, CPU)()
    run = reported(cfg)
    assert (run.name, run.task) == ("ours", "retrieval")
    assert run.settings["EVAL.RETRIEVAL_RANKS"] == "[1]"
    assert "EVAL.KNN_NUM_NEIGHBORS" not in run.settings  # retrieval does not read it
    assert run.environment == run.files.results["environment"]
    assert sorted(run.pictures.test) == [f"test{i}.png" for i in range(4)]
    assert run.feature_map is not None
    assert run.feature_map.num_rows == 4
    assert list(run.feature_map.labels) == [0, 1, 2, 0]


def test_no_map_of_features_of_another_evaluation(
    config: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = config("retrieval", EVAL__RETRIEVAL_RANKS="1")
    on_features_task(cfg, CPU)()
    rows = read_features(tmp_path / "run" / "features" / "test")
    assert rows is not None
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    (tmp_path / "run" / "results.json").write_text(json.dumps({**results, "features": "0" * 64}))
    assert reported(cfg).feature_map is None
    assert "are not of this evaluation" in caplog.text


def test_a_map_of_extracted_features_is_of_the_test_videos(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    cfg = config("extract")
    extract_task(cfg, CPU)()
    shown = reported(cfg).feature_map
    assert shown is not None
    assert (shown.listed, list(shown.paths)) == ("test", [f"test{i}.png" for i in range(4)])
    for file in ("test.npz", "test.csv"):
        (tmp_path / "run" / file).unlink()
    shown = reported(cfg).feature_map
    assert shown is not None
    assert (shown.listed, list(shown.labels)) == ("training", [0, 1, 2, 3])


def test_a_run_that_has_logged_nothing(config: Callable[..., CfgNode]) -> None:
    with pytest.raises(UserError, match=r"holds neither results\.json nor metrics\.jsonl"):
        build_reported_runs([config("knn")], names=["ours"])
