"""The program in several processes: start, resume, errors reported once, signals and lost ranks."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from sce_video.errors import PEER_LOST_EXIT_CODE
from sce_video.runtime.checkpoints import CheckpointFolder
from tests.settings import used_overrides
from tests.tools.test_run_net import SMALL, overrides

REPOSITORY = Path(__file__).resolve().parents[2]


def on_two(videos: Path, output_dir: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    settings = {**SMALL, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(output_dir)}
    settings |= {key.replace("__", "."): value for key, value in changes.items()}
    arguments = used_overrides(REPOSITORY / "configs/demo_sce.yaml", settings)
    return subprocess.run(
        [
            sys.executable,
            "tools/run_net.py",
            "--cfg",
            "configs/demo_sce.yaml",
            "--nproc",
            "2",
            *arguments,
        ],
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


def test_two_processes_pretrain(motion_videos: Path, tmp_path: Path) -> None:
    done = on_two(motion_videos, tmp_path, TRAIN__LOG_EVERY_STEPS="1")
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stderr.count("wrote ") == 2  # weights and page, once each
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(3))


@pytest.mark.thorough  # tests/train/test_ranks.py resumes its steps, tests/slurm jobs of two nodes to the bit
def test_two_processes_resume_to_the_bit(motion_videos: Path, tmp_path: Path) -> None:
    changes = {"TRAIN__NUM_EPOCHS": "2", "TRAIN__LOG_EVERY_STEPS": "1"}
    done = on_two(motion_videos, tmp_path / "undisturbed", **changes)
    assert done.returncode == 0, done.stderr
    done = on_two(motion_videos, tmp_path / "stopped", TRAIN__STOP_AT_STEP="4", **changes)
    assert done.returncode == 0, done.stderr
    done = on_two(motion_videos, tmp_path / "stopped", **changes)
    assert done.returncode == 0, done.stderr
    ours, theirs = final_state(tmp_path / "stopped"), final_state(tmp_path / "undisturbed")
    # On a CPU batch norm is per rank, and only rank 0's running statistics are kept.
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    lines = [json.loads(line) for line in (tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(6))


@pytest.mark.thorough  # tests/train/test_ranks.py has its steps, tests/evaluate/test_ranks.py its features
def test_two_processes_finetune_and_measure(motion_videos: Path, tmp_path: Path) -> None:
    done = on_two(motion_videos, tmp_path, TASK="finetune")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["num_evaluated"], results["num_expected"]) == (8, 8)


def long_run(videos: Path, output_dir: Path, *options: str, **environ: str) -> "subprocess.Popen[str]":
    """Start a run; returns after its first step of many."""
    settings = {**SMALL, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(output_dir), "TRAIN.NUM_EPOCHS": "2000"}
    settings |= {"TRAIN.LOG_EVERY_STEPS": "1", "TRAIN.CHECKPOINT_EVERY_EPOCHS": "0"}
    arguments = used_overrides(REPOSITORY / "configs/demo_sce.yaml", settings)
    process = subprocess.Popen(
        [sys.executable, "tools/run_net.py", "--cfg", "configs/demo_sce.yaml", *options, *arguments],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", **environ},
        start_new_session=True,
    )
    _started.append(process)
    wait_until(lambda: (log := output_dir / "metrics.jsonl").is_file() and log.read_text() != "")
    return process


_started: list["subprocess.Popen[str]"] = []


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test() -> Iterator[None]:
    yield
    for process in _started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    _started.clear()


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 240
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def ranks_of(launcher: "subprocess.Popen[str]") -> list[int]:
    """Process ids of the ranks, in rank order."""
    return sorted(map(int, Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()))


def test_ctrl_c_in_a_terminal_saves(motion_videos: Path, tmp_path: Path) -> None:
    """All processes get the signal, and once more from their launcher."""
    process = long_run(motion_videos, tmp_path, "--nproc", "2")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, errors
    assert "stopped by signal 2 after" in errors
    assert "Traceback" not in errors
    steps = CheckpointFolder(tmp_path / "checkpoints", num_kept=1).steps()
    assert len(steps) == 1
    assert f"after {steps[0]} steps" in errors


@pytest.mark.parametrize("doomed", [pytest.param(0, marks=pytest.mark.thorough), 1])
def test_a_rank_that_is_killed_is_named_and_ends_all(motion_videos: Path, tmp_path: Path, doomed: int) -> None:
    process = long_run(motion_videos, tmp_path, "--nproc", "2")
    ranks = ranks_of(process)
    os.kill(ranks[doomed], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGKILL
    assert f"error: rank {doomed} was ended by signal 9; the others are stopped" in errors
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)


def test_a_rank_that_is_killed_is_named_by_the_others_too(motion_videos: Path, tmp_path: Path) -> None:
    """Without a launcher that monitors the processes, as under srun."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    with ThreadPoolExecutor() as pool:
        starts = [
            pool.submit(long_run, motion_videos, tmp_path, RANK=rank, LOCAL_RANK=rank, **address) for rank in "01"
        ]
        first, second = (start.result() for start in starts)
    second.kill()
    _, errors = first.communicate(timeout=60)
    assert first.returncode == PEER_LOST_EXIT_CODE
    assert f"error: rank 1 on {socket.gethostname()} has ended; the other processes stop" in errors
    assert "Traceback" not in errors


def test_ranks_do_not_outlive_their_launcher(motion_videos: Path, tmp_path: Path) -> None:
    process = long_run(motion_videos, tmp_path, "--nproc", "2")
    ranks = ranks_of(process)
    process.kill()
    wait_until(lambda: not any(Path(f"/proc/{rank}").exists() for rank in ranks))
    assert len(CheckpointFolder(tmp_path / "checkpoints", num_kept=1).steps()) == 1  # they have saved
    assert process.stderr is not None
    assert "stopped by signal 15 after" in process.stderr.read()


def test_an_error_of_one_rank_is_reported(motion_videos: Path, tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    for name in ("train", "test"):
        (tmp_path / "features" / name).mkdir()
        (tmp_path / "features" / name / "thesis.tex").write_text("years of work")
    done = on_two(motion_videos, tmp_path, TASK="knn")
    assert done.returncode == 2
    assert "thesis" not in done.stderr
    assert "has files that are not features" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"TRAIN__GLOBAL_BATCH_SIZE": "7"},
            "TRAIN.GLOBAL_BATCH_SIZE is 7; it must be a multiple of",
            marks=pytest.mark.thorough,
        ),
        (
            {"TRAIN__GLOBAL_BATCH_SIZE": "2"},
            "TRAIN.GLOBAL_BATCH_SIZE is 2; on a CPU batch norm needs 2 videos per part",
        ),
        pytest.param(
            {"TRAIN__NUM_EPOCHS": "many"},
            "TRAIN.NUM_EPOCHS is 'many'; a whole number was expected",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_an_error_is_one_line_whichever_rank_raises_it(
    motion_videos: Path, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    done = on_two(motion_videos, tmp_path, **changes)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr


def test_a_second_run_in_one_folder_is_refused(
    motion_videos: Path, tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    first = long_run(motion_videos, tmp_path)
    same = overrides(motion_videos, tmp_path, TRAIN__NUM_EPOCHS="2000", TRAIN__CHECKPOINT_EVERY_EPOCHS="0")
    assert tool("run_net", "--cfg", "configs/demo_sce.yaml", *same) == 2
    shown = capsys.readouterr().err
    assert f"{tmp_path} is in use by process {first.pid} on {socket.gethostname()}" in shown
    assert "Traceback" not in shown
    first.send_signal(signal.SIGTERM)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 128 + signal.SIGTERM, errors


def test_a_process_that_outlives_its_jobs_requeue_no_longer_writes(motion_videos: Path, tmp_path: Path) -> None:
    """As when slurmd dies but the process does not: it is frozen while the job is requeued."""
    old = long_run(motion_videos, tmp_path, SLURM_JOB_ID="7", SLURM_RESTART_COUNT="0")
    old.send_signal(signal.SIGSTOP)
    (tmp_path / "metrics.jsonl").rename(tmp_path / "metrics_of_the_old.jsonl")
    new = long_run(motion_videos, tmp_path, SLURM_JOB_ID="7", SLURM_RESTART_COUNT="1")
    old.send_signal(signal.SIGCONT)
    _, errors = old.communicate(timeout=60)
    assert old.returncode == 2
    assert f"{tmp_path} was taken over by process {new.pid} of job 7" in errors
    assert not list((tmp_path / "checkpoints").glob("*"))  # nor has it saved at its end
    new.send_signal(signal.SIGINT)  # after SIGTERM it would wait for Slurm
    _, errors = new.communicate(timeout=60)
    (checkpoint,) = (tmp_path / "checkpoints").iterdir()
    assert f"stopped by signal 2 after {int(checkpoint.stem[5:])} steps" in errors
