"""`results.json`, number by number, and the table on the terminal."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.evaluate.features import FeatureSet
from sce_video.tasks.results import write_evaluation_results

# Four of five test videos could be decoded; three of the four answers are right.
TEST = FeatureSet(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]), torch.arange(4), ["e.mp4: torn"], num_expected=5)
BANK = FeatureSet(torch.zeros(2, 2), torch.tensor([0, 1]), torch.arange(2), ["b.mp4: torn"], num_expected=3)
ANSWERS = torch.tensor([0, 0, 1, 1])


@pytest.fixture
def results(config: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., dict]:
    (tmp_path / "run").mkdir()

    def write(metrics: dict[str, float], **more: object) -> dict:
        with caplog.at_level("INFO", logger="sce_video"):
            write_evaluation_results(config("knn"), metrics, {"num_clips": 1}, test=TEST, predicted=ANSWERS, **more)
        return json.loads((tmp_path / "run" / "results.json").read_text())

    return write


def test_chance_and_standard_errors(results: Callable[..., dict]) -> None:
    """By hand: the most frequent class has 3 of 4; sqrt(p (1 - p) / n) with n = 4; classes of 3 and 1 videos."""
    found = results({"knn_top1": 0.75, "knn_mean_class": 5 / 6}, bank=BANK)
    assert found["chance"] == {"knn_top1": 0.75, "knn_mean_class": 0.5}
    assert found["standard_errors"]["knn_top1"] == pytest.approx((0.75 * 0.25 / 4) ** 0.5)
    of_mean = ((2 / 3) * (1 / 3) / 3 + 0) ** 0.5 / 2
    assert found["standard_errors"]["knn_mean_class"] == pytest.approx(of_mean)


def test_videos_are_counted_on_both_sides(results: Callable[..., dict], caplog: pytest.LogCaptureFixture) -> None:
    found = results({"knn_top1": 0.75}, bank=BANK)
    counts = {name: found[name] for name in ("num_evaluated", "num_expected", "num_bank", "num_bank_expected")}
    assert list(counts.values()) == [4, 5, 2, 3]
    assert found["failures"] == ["b.mp4: torn", "e.mp4: torn"]
    assert "4 of 5 test videos evaluated against 2 of 3 training videos" in caplog.text
    assert "75.0" in caplog.text


def test_without_a_bank(results: Callable[..., dict], caplog: pytest.LogCaptureFixture) -> None:
    found = results({"knn_top1": 0.75}, class_names={"0": "jump"}, weights="those of epoch 3")
    assert "num_bank" not in found
    assert (found["class_names"], found["weights"], found["task"]) == ({"0": "jump"}, "those of epoch 3", "knn")
    assert found["environment"]["torch"]
    assert "training videos" not in caplog.text


@pytest.mark.usefixtures("second_process")
def test_one_process_writes(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    write_evaluation_results(config("knn"), {"knn_top1": 1.0}, {}, test=replace(TEST), predicted=ANSWERS)
    assert not (tmp_path / "run").exists()
