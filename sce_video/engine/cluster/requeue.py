"""Exit of a Slurm job's process such that the job is requeued: after a signal, or after the loss of another process."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

from sce_video.engine.cluster.env import rank_from_env, slurm_job
from sce_video.engine.cluster.failure_detector import PeerFailure
from sce_video.engine.cluster.local_ranks import LAUNCHER
from sce_video.errors import PEER_LOST_EXIT_CODE

_MAX_REQUEUES = 100
# How long to wait for Slurm to end the job; one that it has forgotten exits by itself.
_MAX_WAIT_SECONDS = 600.0
# The lowest rank left requests the requeue; if it is gone too, the next one does.
_DELAY_PER_RANK_SECONDS, _MAX_DELAY_SECONDS = 2.0, 20.0
# Slurm's ids of steps that srun did not start: interactive, batch script, and others.
_FIRST_SPECIAL_STEP = 0xFFFFFF00


def requeue_after_signal(code: int, environ: Mapping[str, str] = os.environ) -> int:
    """Requeue the Slurm or submitit job of a program that a signal stopped; otherwise return at once.

    - SIGUSR2, before the time limit: submitit's handler counts timeouts and requeues; without submitit
      `scontrol requeue`, at most 100 times.
    - SIGTERM, at preemption: Slurm requeues by itself, but only a job that has not exited by itself: wait for that.

    Args:
        code: exit code of the program, 128 + the signal that stopped it.
    Returns:
        `code`.
    """
    stopped_by, in_slurm = code - 128, "SLURM_JOB_ID" in environ
    if in_slurm and code == 0:
        for number in (signal.SIGUSR2, signal.SIGTERM):  # finished: a time limit reached now is not a failure
            signal.signal(number, signal.SIG_IGN)
    if stopped_by == signal.SIGUSR2:
        handler = signal.getsignal(signal.SIGUSR2)
        if callable(handler):
            handler(stopped_by, None)  # in the first task it ends the process
        elif in_slurm and _rank(environ) == 0 and not _request_requeue(environ):
            return code
    if in_slurm and (stopped_by == signal.SIGUSR2 or (stopped_by == signal.SIGTERM and not _has_time_left(environ))):
        _wait_for_slurm(environ)
    return code


def exit_after_peer_failure(
    failure: PeerFailure,
    *,
    report: Callable[[str], None],
    may_requeue: Callable[[], bool],
) -> NoReturn:
    """End this process, from any thread, because another rank has ended.

    A Slurm job is requeued by `scontrol requeue`, at most 100 times; not after an error of the other rank, which would
    only be repeated, nor where the job merely surrounds the run, as with `run_net.py --nproc` or `submit.py --local`.

    Args:
        report: prints or logs a line for the user.
        may_requeue: called before a requeue; False prevents it.
    """
    environ = os.environ
    try:
        report(f"error: {failure.line}; the other processes stop")
        if not failure.is_error and _is_task_of_job(environ):
            time.sleep(min(_DELAY_PER_RANK_SECONDS * _rank(environ), _MAX_DELAY_SECONDS))
            if may_requeue() and _request_requeue(environ):
                _wait_for_slurm(environ)
    finally:
        os._exit(PEER_LOST_EXIT_CODE)


def _is_task_of_job(environ: Mapping[str, str]) -> bool:
    """Whether srun (submitit's included) started this process, or the torchrun that did."""
    step = environ.get("SLURM_STEP_ID", "")
    is_by_srun = "SLURM_JOB_ID" in environ and step.isdecimal() and int(step) < _FIRST_SPECIAL_STEP
    return is_by_srun and LAUNCHER not in environ and environ.get("SUBMITIT_EXECUTOR") != "local"


def _request_requeue(environ: Mapping[str, str]) -> bool:
    """Request a requeue unless Slurm was quicker; returns whether the job is requeued."""
    job, restart = _job_id(environ), slurm_job(environ)["restart"]
    if _is_back_in_queue(job, restart):
        return True
    if restart >= _MAX_REQUEUES:
        print(f"job {job} was requeued {_MAX_REQUEUES} times; submit it again to continue", file=sys.stderr)
        return False
    try:
        subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        print(f"job {job} cannot be requeued ({reason}); submit it again", file=sys.stderr)
        return False
    return True


def _is_back_in_queue(job: str, restart: int) -> bool:
    """Whether the job is requeued already: a process left over from an earlier start must not end the next one."""
    shown = _scontrol_show(job)
    return shown != "" and ("JobState=RUNNING" not in shown or f"Restarts={restart} " not in shown)


def _has_time_left(environ: Mapping[str, str]) -> bool:
    """Whether the job's end is too far away for the signal to be Slurm's; False if that is unknown."""
    shown = _scontrol_show(_job_id(environ))
    found = re.search(r" EndTime=(\S+)", shown)
    if found is None or "JobState=RUNNING" not in shown:
        return False
    with suppress(ValueError):  # Unknown, without a time limit
        return (datetime.fromisoformat(found[1]) - datetime.now()).total_seconds() > _MAX_WAIT_SECONDS
    return False


def _scontrol_show(job: str) -> str:
    """Output of `scontrol show job`; "" if it fails."""
    try:
        return subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _job_id(environ: Mapping[str, str]) -> str:
    """Job id for scontrol: in one task of each array SLURM_JOB_ID is the id of the whole array."""
    task = [environ.get(f"SLURM_ARRAY_{name}", "") for name in ("JOB_ID", "TASK_ID")]
    return "_".join(task) if all(task) else environ["SLURM_JOB_ID"]


def _wait_for_slurm(environ: Mapping[str, str]) -> None:
    print(f"waiting for Slurm to end job {_job_id(environ)}", file=sys.stderr)
    time.sleep(_MAX_WAIT_SECONDS)


def _rank(environ: Mapping[str, str]) -> int:
    env = rank_from_env(environ)
    return 0 if env is None else env.rank
