"""The program in several processes: it starts them, goes on where it was, and says a mistake once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sce_video.runtime.checkpoints import CheckpointFolder
from tests.tools.test_run_net import SMALL

REPOSITORY = Path(__file__).resolve().parents[2]


def on_two(videos: Path, output_dir: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    settings = {**SMALL, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(output_dir)}
    settings |= {key.replace("__", "."): value for key, value in changes.items()}
    arguments = [text for pair in settings.items() for text in pair]
    return subprocess.run(
        [sys.executable, "tools/run_net.py", "--cfg", "configs/demo_sce.yaml", "--nproc", "2", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    state = CheckpointFolder(folder / "checkpoints", num_kept=1).load_newest()
    assert state is not None
    model: dict[str, torch.Tensor] = state["model"]
    return model


@pytest.mark.slow
def test_two_processes_pretrain_resume_to_the_bit_and_measure(motion_videos: Path, tmp_path: Path) -> None:
    changes = {"TRAIN__NUM_EPOCHS": "2", "TRAIN__LOG_EVERY_STEPS": "1"}
    done = on_two(motion_videos, tmp_path / "undisturbed", **changes)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stderr.count("wrote ") == 2  # weights and page, once each
    for stop in ("4", "0"):
        done = on_two(motion_videos, tmp_path / "stopped", TRAIN__STOP_AT_STEP=stop, **changes)
        assert done.returncode == 0, done.stderr
    ours, theirs = final_state(tmp_path / "stopped"), final_state(tmp_path / "undisturbed")
    # Off a GPU batch norm is that of each rank, and the running statistics of all but the first are not kept.
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    lines = [json.loads(line) for line in (tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(6))
    done = on_two(motion_videos, tmp_path / "finetune", TASK="finetune", EVAL__CHECKPOINT=str(tmp_path / "stopped"))
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "finetune" / "results.json").read_text())
    assert (results["num_evaluated"], results["num_expected"]) == (8, 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TRAIN__GLOBAL_BATCH_SIZE": "7"}, "TRAIN.GLOBAL_BATCH_SIZE is 7; it must be a multiple of"),
        ({"TRAIN__NUM_EPOCHS": "many"}, "TRAIN.NUM_EPOCHS is 'many'; a whole number was expected"),
    ],
)
def test_a_mistake_is_one_line_whoever_notices(
    motion_videos: Path, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    done = on_two(motion_videos, tmp_path, **changes)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr
