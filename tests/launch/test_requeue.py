"""Who leaves without a queue to go back to; tests/slurm has those with one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sce_video.launch.program import LOST_A_PEER
from sce_video.launch.requeue import leave_job, may_come_again


@pytest.mark.parametrize("code", [0, 1, 2, 130, 128 + signal.SIGTERM, 128 + signal.SIGUSR2])
def test_outside_of_slurm_a_program_just_ends(code: int) -> None:
    assert leave_job(code, {}) == code


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_in_slurm_too_unless_a_signal_has_stopped_it(code: int) -> None:
    assert leave_job(code, {"SLURM_JOB_ID": "7"}) == code


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


def test_a_job_that_loses_a_process_again_and_again_without_a_checkpoint_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three requeues in a row are in vain; a new checkpoint in between begins the count anew."""

    def lost_at(restart: int) -> bool:
        environ = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": str(restart)}
        answers = {may_come_again(tmp_path, environ) for _ in range(2)}  # each node's first process asks
        assert len(answers) == 1
        return answers.pop()

    assert [lost_at(restart) for restart in range(3)] == [True] * 3
    write(tmp_path / "checkpoints" / "step_00000010.pt")
    assert [lost_at(restart) for restart in range(3, 7)] == [True, True, True, False]
    assert "lost a process 4 times without a new checkpoint in between; it is not requeued" in capsys.readouterr().err
    write(tmp_path / "split_1" / "checkpoints" / "step_00000005.pt")
    assert lost_at(7)


def write(checkpoint: Path) -> None:
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()


def test_a_lost_process_ends_this_one_with_a_code_of_its_own(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom sce_video.launch.requeue import leave_after_loss\n"
        "from sce_video.runtime.peers import Verdict\n"
        f"leave_after_loss(Verdict('rank 3 on x has ended', is_error=False), Path({str(tmp_path)!r}))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ)
    assert done.returncode == LOST_A_PEER
    assert done.stderr == "error: rank 3 on x has ended; the other processes stop\n"
    assert list(tmp_path.iterdir()) == []  # outside of Slurm nothing is counted
