"""What the probe on features measures where test videos are copies of those that it was fitted on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from sce_video.tasks.linear_features import linear_features_task

from sce_video.errors import ConfigError

CPU = torch.device("cpu")


def test_copies_get_the_class_of_their_originals(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    """Four videos in many dimensions are separable; one copy is said to be of another class."""
    linear_features_task(config("linear_features", EVAL__LINEAR_WEIGHT_DECAYS="0.001"), CPU)()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["metrics"]["linear_features_top1"] == 0.75
    assert results["details"] == {"weight_decay": 0.001}
    assert results["protocol"]["linear_weight_decays"] == [0.001]
    assert results["protocol"]["linear_held_out_share"] == 0.2


def test_one_video_of_each_class_leaves_none_to_choose_by(config: Callable[..., CfgNode]) -> None:
    with pytest.raises(ConfigError, match="no class has two training videos"):
        linear_features_task(config("linear_features", EVAL__LINEAR_WEIGHT_DECAYS="0.1,0.01"), CPU)()
