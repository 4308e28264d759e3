"""Evaluation on one, two and three ranks: the same numbers to the last digit."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from sce_video.config import load_config
from sce_video.evaluate import feature_files, neighbors
from sce_video.launch.local import run_task
from sce_video.tasks import examine

pytestmark = pytest.mark.rounding

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_knn.yaml"
# 23 training and 7 test videos, in parts of 5, and bank rows in chunks of 7: numbers that no world size divides.
PART_VIDEOS, BANK_PER_CHUNK = 5, 7


TASKS = ("knn", "retrieval", "linear_features", "extract", "examine")


def evaluate(rank: int, num_ranks: int, videos: str, folder: str) -> None:
    """Every task, one after the other in one group."""
    torch.set_num_threads(1)
    feature_files._PART_VIDEOS, neighbors._BANK_PER_CHUNK = PART_VIDEOS, BANK_PER_CHUNK
    examine._VIDEOS_PER_PART = PART_VIDEOS
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=num_ranks)
    try:
        for task in TASKS:
            settings = {
                "TASK": task,
                "DATA.ROOT": videos,
                "DATA.NUM_WORKERS": 0,
                "CLIP.SECONDS": 0.5,
                "CLIP.NUM_FRAMES": 2,
                "EVAL.LOCAL_BATCH_SIZE": 2,
                "EVAL.NUM_CLIPS": 2,
                "RUN.OUTPUT_DIR": f"{folder}/{task}",
                "RUN.DEVICE": "cpu",
            }
            run_task(load_config(CONFIG, shared=[str(text) for pair in settings.items() for text in pair]))
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def videos(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All motion videos but one of training and one of test."""
    root = tmp_path_factory.mktemp("videos") / "motion"
    shutil.copytree(motion_videos, root)
    for part in ("train", "test"):
        min((root / part).rglob("*.mp4")).unlink()
    return root


@pytest.fixture(scope="module")
def on_ranks(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of evaluations by one, two and three processes; each holds one per task."""
    folders = []
    for num_ranks in (1, 2, 3):
        folders.append(tmp_path_factory.mktemp(f"ranks_{num_ranks}"))
        multiprocessing.start_processes(
            evaluate,
            args=(num_ranks, str(videos), str(folders[-1])),
            nprocs=num_ranks,
            join=True,
            start_method="fork",  # which does not import again
        )
    return folders


@pytest.mark.parametrize("task", ["knn", "retrieval", "linear_features"])
def test_metrics_do_not_depend_on_the_number_of_ranks(on_ranks: list[Path], task: str) -> None:
    found = []
    for folder in on_ranks:
        results = json.loads((folder / task / "results.json").read_text())
        assert (results["num_evaluated"], results["num_bank"]) == (7, 23)
        parts = sorted((folder / task / "features" / "train").glob("part_*.npz"))
        assert len(parts) == 5
        found.append((results["metrics"], results["details"], [part.read_bytes() for part in parts]))
    assert found[0][:2] == found[1][:2] == found[2][:2]
    assert found[0][2] == found[1][2] == found[2][2]


def test_every_video_is_extracted_once_on_any_number_of_ranks(on_ranks: list[Path]) -> None:
    found = []
    for folder in on_ranks:
        with (folder / "extract" / "train.csv").open(newline="") as opened:
            numbers = [int(line["video"]) for line in csv.DictReader(opened)]
        assert numbers == list(range(23))
        with np.load(folder / "extract" / "train.npz") as content:
            found.append(content["features"])
    assert len(found[0]) == 23
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_an_examination_does_not_depend_on_the_number_of_ranks(on_ranks: list[Path]) -> None:
    found = []
    for folder in on_ranks:
        results = json.loads((folder / "examine" / "results.json").read_text())
        assert results["num_evaluated"] == 23
        assert len(list((folder / "examine" / "features" / "examined").glob("part_*.npz"))) == 5
        found.append((results["metrics"], results["examination"]))
    assert found[0] == found[1] == found[2]
