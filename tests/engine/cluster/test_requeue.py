"""Exits without a running Slurm; tests/slurm has those with one."""

import os
import signal
import subprocess
import sys

import pytest

from sce_video.engine.cluster.requeue import requeue_after_signal
from sce_video.errors import PEER_LOST_EXIT_CODE

# Of srun, on a machine without scontrol.
TASK_OF_A_JOB = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_RESTART_COUNT": "0", "PATH": ""}


@pytest.mark.parametrize("code", [0, 1, 2, 130, 128 + signal.SIGTERM, 128 + signal.SIGUSR2])
def test_outside_slurm_nothing_is_requeued(code: int) -> None:
    assert requeue_after_signal(code, {}) == code


@pytest.mark.parametrize("code", [1, 2, 130])
def test_in_slurm_neither_unless_a_signal_stopped_the_program(code: int) -> None:
    assert requeue_after_signal(code, {"SLURM_JOB_ID": "7"}) == code


def test_a_signal_after_the_end_of_the_work_is_ignored() -> None:
    code = (
        "import os, signal, sys\nfrom sce_video.engine.cluster.requeue import requeue_after_signal\n"
        "code = requeue_after_signal(0)\n"
        "for number in (signal.SIGUSR2, signal.SIGTERM): os.kill(os.getpid(), number)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "SLURM_JOB_ID": "7"})
    assert done.returncode == 0


def test_a_job_that_was_requeued_too_often_is_not_requeued(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "100"}
    assert requeue_after_signal(128 + signal.SIGUSR2, environ) == 128 + signal.SIGUSR2
    assert "job 7 was requeued 100 times" in capsys.readouterr().err


def test_submitits_handler_is_called() -> None:
    called = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: called.append(number))
    try:
        requeue_after_signal(128 + signal.SIGUSR2, {})
        requeue_after_signal(128 + signal.SIGTERM, {})
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert called == [signal.SIGUSR2]


@pytest.mark.parametrize(
    ("changes", "is_requested"),
    [
        ({}, True),
        ({"SCE_VIDEO_LAUNCHER": "1"}, False),  # such as run_net.py --nproc in a notebook's job
        ({"SUBMITIT_EXECUTOR": "local"}, False),
        ({"SLURM_STEP_ID": "4294967290"}, False),  # salloc's shell
    ],
)
def test_only_tasks_of_srun_request_a_requeue(changes: dict[str, str], is_requested: bool) -> None:
    done = lose_a_peer({**TASK_OF_A_JOB, **changes})
    assert done.returncode == PEER_LOST_EXIT_CODE
    assert done.stderr.startswith("error: rank 3 on x has ended; the other processes stop\n")
    assert ("job 7 cannot be requeued" in done.stderr) == is_requested  # without scontrol


def test_the_process_ends_even_if_may_requeue_raises() -> None:
    assert lose_a_peer(TASK_OF_A_JOB, may_requeue="1 / 0").returncode == PEER_LOST_EXIT_CODE


def test_a_task_of_an_array_is_requeued_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The last task has the id of the whole array as its own."""
    environ = {"SLURM_JOB_ID": "36", "SLURM_ARRAY_JOB_ID": "36", "SLURM_ARRAY_TASK_ID": "3"}
    requeue_after_signal(128 + signal.SIGUSR2, {**environ, "SLURM_RESTART_COUNT": "100"})
    assert "job 36_3 was requeued 100 times" in capsys.readouterr().err


def lose_a_peer(job: dict[str, str], *, may_requeue: str = "True") -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\nfrom sce_video.engine.cluster.requeue import exit_after_peer_failure\n"
        "from sce_video.engine.cluster.failure_detector import PeerFailure\n"
        "report = lambda line: print(line, file=sys.stderr)\n"
        "failure = PeerFailure('rank 3 on x has ended', is_error=False)\n"
        f"exit_after_peer_failure(failure, report=report, may_requeue=lambda: {may_requeue})"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**environ, **job})


def test_a_lost_peer_has_its_own_exit_code() -> None:
    done = lose_a_peer({})
    assert done.returncode == PEER_LOST_EXIT_CODE
    assert done.stderr == "error: rank 3 on x has ended; the other processes stop\n"


def test_a_job_that_may_not_be_requeued_ends() -> None:
    done = lose_a_peer(TASK_OF_A_JOB, may_requeue="False")
    assert done.returncode == PEER_LOST_EXIT_CODE
    assert done.stderr == "error: rank 3 on x has ended; the other processes stop\n"
