"""Features for other programs: their videos, order, labels and paths."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from fvcore.common.config import CfgNode

from sce_video.tasks.extract import extract_task
from tests.tasks.conftest import NUM_CLASSES, TEST_LABELS

CPU = torch.device("cpu")


def arrays_of(run: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(run / f"{name}.npz") as content:
        return dict(content)


def test_features_labels_and_paths_of_both_lists(config: Callable[..., CfgNode], tmp_path: Path) -> None:
    extract_task(config("extract"), CPU)()
    train, test = (arrays_of(tmp_path / "run", name) for name in ("train", "test"))
    assert train["features"].shape == (NUM_CLASSES, 128)
    assert test["labels"].tolist() == list(TEST_LABELS)
    assert test["paths"].tolist() == [f"test{i}.png" for i in range(4)]
    np.testing.assert_allclose(test["features"], train["features"], rtol=1e-5, atol=1e-6)  # of copies
    with (tmp_path / "run" / "test.csv").open(newline="") as opened:
        assert [line["path"] for line in csv.DictReader(opened)] == test["paths"].tolist()
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["lists"] == {
        name: {"num_evaluated": 4, "num_expected": 4, "failures": []} for name in ("train", "test")
    }
    assert results["num_evaluated"] == 8


@pytest.mark.parametrize("test", ["", "of another config"])
def test_a_folder_has_no_test_videos_whatever_the_config_says(
    config: Callable[..., CfgNode], motion_videos: Path, tmp_path: Path, test: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, video in zip("ba", sorted(motion_videos.rglob("*.mp4")), strict=False):
        shutil.copy(video, folder / f"{name}.mp4")
    extract_task(config("extract", DATA__SOURCE="folder", DATA__ROOT=folder, DATA__TRAIN=".", DATA__TEST=test), CPU)()
    assert arrays_of(tmp_path / "run", "train")["paths"].tolist() == ["a.mp4", "b.mp4"]
    assert not (tmp_path / "run" / "test.npz").exists()


def test_a_broken_video_is_named_and_has_no_row(
    config: Callable[..., CfgNode], motion_videos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"no video")
    shutil.copy(min(motion_videos.rglob("*.mp4")), folder / "b.mp4")
    extract_task(config("extract", DATA__SOURCE="folder", DATA__ROOT=folder, DATA__TRAIN=".", DATA__TEST=""), CPU)()
    assert arrays_of(tmp_path / "run", "train")["paths"].tolist() == ["b.mp4"]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert (results["num_evaluated"], results["num_expected"]) == (1, 2)
    (failure,) = results["failures"]
    assert failure.startswith(str(folder / "a.mp4"))
