"""What the retrieval task measures where the nearest video is known."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from sce_video.tasks.retrieval import retrieval_task

from sce_video.report.run_folder import read_run

CPU = torch.device("cpu")


@pytest.mark.parametrize("level", ["video", "clip"])
def test_each_copy_finds_its_original(config: Callable[..., CfgNode], tmp_path: Path, level: str) -> None:
    retrieval_task(config("retrieval", EVAL__RETRIEVAL_RANKS="1,4", EVAL__RETRIEVAL_LEVEL=level), CPU)()
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
        retrieval_task(config("retrieval", EVAL__RETRIEVAL_CENTER_FEATURES=centers), CPU)()
        second[centers] = [query.neighbors[1].similarity for query in read_run(tmp_path / "run").queries]
    assert min(second[False]) > 0.5 > max(second[True])
    assert json.loads((tmp_path / "run" / "results.json").read_text())["protocol"]["retrieval_center_features"] is True
