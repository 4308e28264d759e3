"""What the kNN task measures where the nearest video is known."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from sce_video.tasks.knn import knn_task

CPU = torch.device("cpu")


@pytest.mark.parametrize("search", ["torch", "faiss"])
def test_the_one_nearest_video_votes(config: Callable[..., CfgNode], tmp_path: Path, search: str) -> None:
    """Of the four copies three are of the class that is said; of class 0 one of two."""
    knn_task(config("knn", EVAL__KNN_NUM_NEIGHBORS="1,4", EVAL__SEARCH=search), CPU)()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["metrics"] == {"knn_top1": 0.75, "knn_top5": 1.0, "knn_mean_class": pytest.approx((0.5 + 1 + 1) / 3)}
    assert [each["num_neighbors"] for each in results["details"]["knn_sweep"]] == [1, 4]
    protocol = results["protocol"]
    assert (protocol["knn_num_neighbors"], protocol["knn_temperatures"]) == ([1, 4], [0.07])
    assert protocol["search"] == search
