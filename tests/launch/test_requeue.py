"""Who leaves without a queue to go back to; tests/slurm has those with one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sce_video.errors import LOST_A_PEER
from sce_video.launch.requeue import leave_job, may_come_again

# Of srun, on a machine without scontrol.
TASK_OF_A_JOB = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_RESTART_COUNT": "0", "PATH": ""}


@pytest.mark.parametrize("code", [0, 1, 2, 130, 128 + signal.SIGTERM, 128 + signal.SIGUSR2])
def test_outside_of_slurm_a_program_just_ends(code: int) -> None:
    assert leave_job(code, {}) == code


@pytest.mark.parametrize("code", [1, 2, 130])
def test_in_slurm_too_unless_a_signal_has_stopped_it(code: int) -> None:
    assert leave_job(code, {"SLURM_JOB_ID": "7"}) == code


def test_a_signal_after_the_end_of_the_work_comes_too_late() -> None:
    code = (
        "import os, signal, sys\nfrom sce_video.launch.requeue import leave_job\n"
        "code = leave_job(0)\n"
        "for number in (signal.SIGUSR2, signal.SIGTERM): os.kill(os.getpid(), number)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "SLURM_JOB_ID": "7"})
    assert done.returncode == 0


def test_a_job_that_came_again_too_often_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "100"}
    assert leave_job(128 + signal.SIGUSR2, environ) == 128 + signal.SIGUSR2
    assert "job 7 was requeued 100 times" in capsys.readouterr().err


def test_submitits_handler_is_asked() -> None:
    asked = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: asked.append(number))
    try:
        leave_job(128 + signal.SIGUSR2, {})
        leave_job(128 + signal.SIGTERM, {})
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert asked == [signal.SIGUSR2]


def test_a_record_that_is_no_file_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "requeues.json")
    assert may_come_again(tmp_path, {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "0"})


def test_a_job_that_loses_a_process_again_and_again_without_a_checkpoint_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three requeues in a row are in vain; a new checkpoint in between begins the count anew."""

    def lost_at(restart: int) -> bool:
        environ = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(restart)}
        answers = {may_come_again(tmp_path, environ) for _ in range(2)}  # one process after the other asks
        assert len(answers) == 1
        return answers.pop()

    assert [lost_at(restart) for restart in range(3)] == [True] * 3
    write(tmp_path / "checkpoints" / "step_00000010.pt")
    assert [lost_at(restart) for restart in range(3, 7)] == [True, True, True, False]
    assert "lost a process 4 times without a new checkpoint in between; it is not requeued" in capsys.readouterr().err
    write(tmp_path / "split_1" / "checkpoints" / "step_00000005.pt")
    assert lost_at(7)


def test_another_job_in_the_same_folder_begins_the_count_anew(tmp_path: Path) -> None:
    def lost_at(job: str, restart: int) -> bool:
        return may_come_again(tmp_path, {"SLURM_JOB_ID": job, "SLURM_RESTART_COUNT": str(restart)})

    assert [lost_at("7", restart) for restart in range(4)] == [True, True, True, False]
    assert lost_at("8", 0)
    for torn in ("{torn", "[7]", '{"job": "8", "without_progress": "many"}', '{"job": "8"}', "[" * 100_000):
        (tmp_path / "requeues.json").write_text(torn)
        assert lost_at("8", 1)


@pytest.mark.parametrize(
    ("changes", "is_counted"),
    [
        ({}, True),
        ({"SCE_VIDEO_LAUNCHER": "1"}, False),  # run_net.py --nproc in a notebook's job, say
        ({"SUBMITIT_EXECUTOR": "local"}, False),
        ({"SLURM_STEP_ID": "4294967290"}, False),  # salloc's shell
    ],
)
def test_only_tasks_of_srun_ask_for_a_requeue(tmp_path: Path, changes: dict[str, str], is_counted: bool) -> None:
    done = lose_a_peer(tmp_path, {**TASK_OF_A_JOB, **changes})
    assert done.returncode == LOST_A_PEER
    assert done.stderr.startswith("error: rank 3 on x has ended; the other processes stop\n")
    assert ("job 7 cannot be requeued" in done.stderr) == is_counted  # without scontrol
    assert (tmp_path / "requeues.json").exists() == is_counted


def test_whatever_goes_wrong_then_the_process_ends(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert lose_a_peer(tmp_path / "file", TASK_OF_A_JOB).returncode == LOST_A_PEER
    (tmp_path / "requeues.json").write_text('{"job": "7"}')
    assert lose_a_peer(tmp_path, TASK_OF_A_JOB).returncode == LOST_A_PEER


def test_a_task_of_an_array_is_requeued_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The last one has the number of the whole array as its own."""
    environ = {"SLURM_JOB_ID": "36", "SLURM_ARRAY_JOB_ID": "36", "SLURM_ARRAY_TASK_ID": "3"}
    leave_job(128 + signal.SIGUSR2, {**environ, "SLURM_RESTART_COUNT": "100"})
    assert "job 36_3 was requeued 100 times" in capsys.readouterr().err


def write(checkpoint: Path) -> None:
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()


def lose_a_peer(output_dir: Path, job: dict[str, str]) -> subprocess.CompletedProcess[str]:
    code = (
        "from pathlib import Path\nfrom sce_video.launch.requeue import leave_after_loss\n"
        "from sce_video.engine.cluster.failure_detector import Verdict\n"
        f"leave_after_loss(Verdict('rank 3 on x has ended', is_error=False), Path({str(output_dir)!r}))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**environ, **job})


def test_a_lost_process_ends_this_one_with_a_code_of_its_own(tmp_path: Path) -> None:
    done = lose_a_peer(tmp_path, {})
    assert done.returncode == LOST_A_PEER
    assert done.stderr == "error: rank 3 on x has ended; the other processes stop\n"
    assert list(tmp_path.iterdir()) == []  # outside of Slurm nothing is counted
