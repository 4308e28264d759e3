"""Kill -9 at random moments, repeatedly: the run completes as if undisturbed.

SCE_NUM_KILLS says how often; 50 take a few minutes.
"""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from sce_video.launch.local import run_task
from sce_video.runtime.checkpoints import CheckpointFolder
from tests.train.test_loop import assert_same_to_the_bit, config

NUM_KILLS = int(os.environ.get("SCE_NUM_KILLS", "4"))
NUM_EPOCHS = 10 + 5 * NUM_KILLS // 4  # of 4 steps; a kill comes after 1 to 6
CHANGES = {"TRAIN__NUM_EPOCHS": NUM_EPOCHS, "TRAIN__CHECKPOINT_EVERY_STEPS": 1, "TRAIN__LOG_EVERY_STEPS": 50}


def run(videos: Path, output_dir: Path) -> None:
    torch.set_num_threads(1)
    run_task(config(videos, output_dir, **CHANGES))


def stop_in_the_middle(process: BaseProcess, is_writing: Callable[[], bool]) -> None:
    """Stop the process while it writes; a stopped process writes nothing more."""
    assert process.pid is not None
    while process.exitcode is None:
        if is_writing():
            os.kill(process.pid, signal.SIGSTOP)
            wait_until_stopped(process.pid)
            if is_writing():
                return
            os.kill(process.pid, signal.SIGCONT)


def wait_until_stopped(pid: int) -> None:
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZX":
        time.sleep(0.0001)


def test_kills_change_no_bit(motion_videos: Path, tmp_path: Path) -> None:
    """A checkpoint after every step, so that many kills interrupt a write."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sce_video.launch.local"])
    undisturbed = context.Process(target=run, args=(motion_videos, tmp_path / "undisturbed"))
    undisturbed.start()
    undisturbed.join()
    assert undisturbed.exitcode == 0
    killed = CheckpointFolder(tmp_path / "killed" / "checkpoints", num_kept=1)
    moments, torn = random.Random(7), 0

    def is_writing() -> bool:
        return any(killed.folder.glob(".*.partial"))

    for life in range(NUM_KILLS):
        before = killed.steps()
        process = context.Process(target=run, args=(motion_videos, tmp_path / "killed"))
        process.start()
        while killed.steps() == before and process.exitcode is None:
            time.sleep(0.001)
        if life % 2:  # at any moment of the next few steps
            until, most = time.monotonic() + moments.uniform(0.0, 0.3), killed.steps()[-1] + 5
            while time.monotonic() < until and killed.steps()[-1] < most:
                time.sleep(0.001)
        else:
            stop_in_the_middle(process, is_writing)
        process.kill()
        process.join()
        assert process.exitcode == -9, "the run is too short for so many kills"
        torn += is_writing()
    assert torn > 0, "no kill has torn a checkpoint"
    last = context.Process(target=run, args=(motion_videos, tmp_path / "killed"))
    last.start()
    last.join()
    assert last.exitcode == 0
    states = [
        CheckpointFolder(tmp_path / name / "checkpoints", num_kept=1).load_newest()
        for name in ("killed", "undisturbed")
    ]
    assert states[0] is not None
    assert states[1] is not None
    assert states[0]["step"] == states[1]["step"] == NUM_EPOCHS * 4
    assert_same_to_the_bit(*states)
    print(f"{torn} of {NUM_KILLS} kills fell into the writing of a checkpoint")
