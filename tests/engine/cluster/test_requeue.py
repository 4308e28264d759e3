"""Exits without a running Slurm; tests/slurm has those with one."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from sce_video.engine.cluster.failure_detector import PeerFailure
from sce_video.engine.cluster.requeue import exit_after_peer_failure, requeue_after_signal
from sce_video.errors import PEER_LOST_EXIT_CODE

# Of srun, on a machine without scontrol.
TASK_OF_A_JOB = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_RESTART_COUNT": "0", "PATH": ""}


class Ended(NamedTuple):
    returncode: int
    stderr: str


@pytest.fixture
def ended(tmp_path: Path) -> Callable[..., Ended]:
    """Calls a function that ends the process, in a fork of this one, which need not import torch again."""

    def end(act: Callable[[], object], environ: Mapping[str, str]) -> Ended:
        errors = tmp_path / "stderr"
        child = os.fork()
        if child == 0:
            try:
                os.environ.clear()
                os.environ.update(environ)
                with errors.open("w") as opened:
                    os.dup2(opened.fileno(), 2)
                sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
                act()
            finally:
                os._exit(70)  # it has raised, or returned
        _, status = os.waitpid(child, 0)
        return Ended(os.waitstatus_to_exitcode(status), errors.read_text())

    return end


@pytest.mark.parametrize("code", [0, 1, 2, 130, 128 + signal.SIGTERM, 128 + signal.SIGUSR2])
def test_outside_slurm_nothing_is_requeued(code: int) -> None:
    assert requeue_after_signal(code, {}) == code


@pytest.mark.parametrize("code", [1, 2, 130])
def test_in_slurm_neither_unless_a_signal_stopped_the_program(code: int) -> None:
    assert requeue_after_signal(code, {"SLURM_JOB_ID": "7"}) == code


def test_a_signal_after_the_end_of_the_work_is_ignored(ended: Callable[..., Ended]) -> None:
    def act() -> None:
        code = requeue_after_signal(0)
        for number in (signal.SIGUSR2, signal.SIGTERM):
            os.kill(os.getpid(), number)
        os._exit(code)

    assert ended(act, {**os.environ, "SLURM_JOB_ID": "7"}).returncode == 0


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
def test_only_tasks_of_srun_request_a_requeue(
    ended: Callable[..., Ended], changes: dict[str, str], is_requested: bool
) -> None:
    done = lose_a_peer(ended, {**TASK_OF_A_JOB, **changes})
    assert done.returncode == PEER_LOST_EXIT_CODE
    assert done.stderr.startswith("error: rank 3 on x has ended; the other processes stop\n")
    assert ("job 7 cannot be requeued" in done.stderr) == is_requested  # without scontrol


def test_the_process_ends_even_if_may_requeue_raises(ended: Callable[..., Ended]) -> None:
    assert lose_a_peer(ended, TASK_OF_A_JOB, may_requeue=lambda: 1 / 0).returncode == PEER_LOST_EXIT_CODE


def test_a_task_of_an_array_is_requeued_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The last task has the id of the whole array as its own."""
    environ = {"SLURM_JOB_ID": "36", "SLURM_ARRAY_JOB_ID": "36", "SLURM_ARRAY_TASK_ID": "3"}
    requeue_after_signal(128 + signal.SIGUSR2, {**environ, "SLURM_RESTART_COUNT": "100"})
    assert "job 36_3 was requeued 100 times" in capsys.readouterr().err


def lose_a_peer(
    ended: Callable[..., Ended], job: dict[str, str], *, may_requeue: Callable[[], object] = lambda: True
) -> Ended:
    def act() -> None:
        failure = PeerFailure("rank 3 on x has ended", is_error=False)
        exit_after_peer_failure(failure, report=lambda line: print(line, file=sys.stderr), may_requeue=may_requeue)

    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    return ended(act, {**environ, **job})


def test_a_lost_peer_has_its_own_exit_code(ended: Callable[..., Ended]) -> None:
    done = lose_a_peer(ended, {})
    assert done.returncode == PEER_LOST_EXIT_CODE
    assert done.stderr == "error: rank 3 on x has ended; the other processes stop\n"


def test_a_job_that_may_not_be_requeued_ends(ended: Callable[..., Ended]) -> None:
    done = lose_a_peer(ended, TASK_OF_A_JOB, may_requeue=lambda: False)
    assert done.returncode == PEER_LOST_EXIT_CODE
    assert done.stderr == "error: rank 3 on x has ended; the other processes stop\n"
