"""Who leaves without a queue to go back to; tests/slurm has those with one."""

import signal

import pytest

from sce_video.launch.requeue import leave_job


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
