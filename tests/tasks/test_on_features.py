"""Evaluations on features, on test videos that are copies of training videos."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.errors import ConfigError
from sce_video.report.run_folder import read_run
from sce_video.tasks.on_features import on_features_task

CPU = torch.device("cpu")


@pytest.mark.parametrize("search", ["torch", "faiss"])
def test_the_one_nearest_video_votes(config: Callable[..., CfgNode], tmp_path: Path, search: str) -> None:
    """Three of the four copies have the class of their label; of class 0 one of two."""
    on_features_task(config("knn", EVAL__KNN_NUM_NEIGHBORS="1,4", EVAL__SEARCH=search), CPU)()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["metrics"] == {"knn_top1": 0.75, "knn_top5": 1.0, "knn_mean_class": pytest.approx((0.5 + 1 + 1) / 3)}
    assert [each["num_neighbors"] for each in results["details"]["knn_sweep"]] == [1, 4]
    protocol = results["protocol"]
    assert (protocol["knn_num_neighbors"], protocol["knn_temperatures"]) == ([1, 4], [0.07])
    assert protocol["search"] == search


@pytest.mark.parametrize("level", ["video", "clip"])
def test_each_copy_finds_its_original(config: Callable[..., CfgNode], tmp_path: Path, level: str) -> None:
    on_features_task(config("retrieval", EVAL__RETRIEVAL_RANKS="1,4", EVAL__RETRIEVAL_LEVEL=level), CPU)()
    run = read_run(tmp_path / "run")
    assert run.results["metrics"] == {"retrieval_r1": 0.75, "retrieval_r4": 1.0}
    assert run.results["protocol"]["retrieval_level"] == level
    assert [(query.path, query.neighbors[0].path) for query in run.queries] == [
        (f"test{i}.png", f"train{i}.png") for i in range(4)
    ]
    assert all(query.neighbors[0].similarity == pytest.approx(1, abs=1e-5) for query in run.queries)


def test_features_are_centered_where_the_config_says_so(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    """Uncentred ones of a random network all point the same way; without their mean those of noise do not."""
    second = {}
    for centers in (False, True):
        on_features_task(config("retrieval", EVAL__RETRIEVAL_CENTER_FEATURES=centers), CPU)()
        second[centers] = [query.neighbors[1].similarity for query in read_run(tmp_path / "run").queries]
    assert min(second[False]) > 0.5 > max(second[True])
    assert json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]["retrieval_center_features"] is True


def test_copies_get_the_class_of_their_originals(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    """Four videos in many dimensions are separable; one copy is labelled with another class."""
    on_features_task(config("linear_features", EVAL__LINEAR_WEIGHT_DECAYS="0.001"), CPU)()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["metrics"]["linear_features_top1"] == 0.75
    assert results["details"] == {"weight_decay": 0.001}
    assert results["protocol"]["linear_weight_decays"] == [0.001]
    assert results["protocol"]["linear_held_out_share"] == 0.2


def test_one_video_of_each_class_leaves_none_to_hold_out(config: Callable[..., CfgNode]) -> None:
    with pytest.raises(ConfigError, match="no class has two training videos"):
        on_features_task(config("linear_features", EVAL__LINEAR_WEIGHT_DECAYS="0.1,0.01"), CPU)()
