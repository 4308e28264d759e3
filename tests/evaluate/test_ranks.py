"""Evaluation on one, two and three ranks: the same numbers to the last digit."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from sce_video.config import load_config
from sce_video.evaluate import feature_files, neighbors
from sce_video.launch.local import run_task

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"
# 23 training and 7 test videos, in parts of 5, and bank rows in chunks of 7: numbers that no world size divides.
PART_VIDEOS, BANK_PER_CHUNK = 5, 7


def evaluate(rank: int, num_ranks: int, task: str, videos: str, folder: str) -> None:
    feature_files._PART_VIDEOS, neighbors._BANK_PER_CHUNK = PART_VIDEOS, BANK_PER_CHUNK
    settings = {
        "TASK": task,
        "DATA.ROOT": videos,
        "DATA.NUM_WORKERS": 0,
        "CLIP.SECONDS": 0.5,
        "CLIP.NUM_FRAMES": 2,
        "EVAL.LOCAL_BATCH_SIZE": 2,
        "EVAL.NUM_CLIPS": 2,
        "RUN.OUTPUT_DIR": f"{folder}/{task}_{num_ranks}",
    }
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=num_ranks)
    try:
        run_task(load_config(CONFIG, [str(text) for pair in settings.items() for text in pair]))
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


def on_ranks(num_ranks: int, task: str, videos: Path, tmp_path: Path) -> Path:
    """The folder of an evaluation by so many processes."""
    (tmp_path / "store").unlink(missing_ok=True)
    multiprocessing.spawn(evaluate, args=(num_ranks, task, str(videos), str(tmp_path)), nprocs=num_ranks, join=True)
    return tmp_path / f"{task}_{num_ranks}"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["knn", "retrieval", "linear_features"])
def test_metrics_do_not_depend_on_the_number_of_ranks(videos: Path, tmp_path: Path, task: str) -> None:
    found = []
    for num_ranks in (1, 2, 3):
        folder = on_ranks(num_ranks, task, videos, tmp_path)
        results = json.loads((folder / "results.json").read_text())
        assert (results["num_evaluated"], results["num_bank"]) == (7, 23)
        parts = sorted((folder / "features" / "train").glob("part_*.npz"))
        assert len(parts) == 5
        found.append((results["metrics"], results["details"], [part.read_bytes() for part in parts]))
    assert found[0][:2] == found[1][:2] == found[2][:2]
    assert found[0][2] == found[1][2] == found[2][2]


@pytest.mark.slow
def test_every_video_is_extracted_once_on_any_number_of_ranks(videos: Path, tmp_path: Path) -> None:
    found = []
    for num_ranks in (1, 2, 3):
        folder = on_ranks(num_ranks, "extract", videos, tmp_path)
        with (folder / "train.csv").open(newline="") as opened:
            numbers = [int(line["video"]) for line in csv.DictReader(opened)]
        assert numbers == list(range(23))
        with np.load(folder / "train.npz") as content:
            found.append(content["features"])
    assert len(found[0]) == 23
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
