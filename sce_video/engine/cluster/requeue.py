"""How a process of a Slurm job ends so that the job is requeued: after a signal, after the loss of another process."""

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

_MOST_REQUEUES = 100
# Slurm ends a job that waits here; one that it forgets ends by itself.
_MOST_SECONDS = 600.0
# One process of those that are left asks for the requeue; should it be gone too, the next rank does.
_SECONDS_PER_RANK, _MOST_SECONDS_BEHIND = 2.0, 20.0
# Slurm's numbers of steps that are no srun's: interactive, batch script, and others.
_FIRST_SPECIAL_STEP = 0xFFFFFF00


def leave_job(code: int, environ: Mapping[str, str] = os.environ) -> int:
    """Hand a job of Slurm or submitit that a signal has stopped back to the queue; anything else just ends.

    - SIGUSR2, before the time is over: submitit's handler counts time-outs and requeues; without submitit
      `scontrol requeue`, at most 100 times.
    - SIGTERM, at preemption: Slurm requeues by itself, but only a job that has not ended by itself.

    Args:
        code: of the program, 128 + a signal if one has stopped it.
    Returns:
        The exit code.
    """
    asked, in_slurm = code - 128, "SLURM_JOB_ID" in environ
    if in_slurm and code == 0:
        for number in (signal.SIGUSR2, signal.SIGTERM):  # all is done: the end of the time must not make it a failure
            signal.signal(number, signal.SIG_IGN)
    if asked == signal.SIGUSR2:
        handler = signal.getsignal(signal.SIGUSR2)
        if callable(handler):
            handler(asked, None)  # the first task's ends the process
        elif in_slurm and _rank(environ) == 0 and not _requeued(environ):
            return code
    if in_slurm and (asked == signal.SIGUSR2 or (asked == signal.SIGTERM and not _outlives_signal(environ))):
        _wait_for_slurm(environ)
    return code


def leave_after_failure(
    failure: PeerFailure,
    *,
    say: Callable[[str], None],
    may_requeue: Callable[[], bool],
    environ: Mapping[str, str] = os.environ,
) -> NoReturn:
    """End this process, from whatever thread, since another one of the run has ended.

    A job of Slurm is requeued by `scontrol requeue`, at most 100 times. Not if the other one has said why: it would say
    so again. And not where a job only happens to be around a run, which `run_net.py --nproc` or `submit.py --local` has
    started in it.

    Args:
        may_requeue: asked before that.
    """
    try:
        say(f"error: {failure.line}; the other processes stop")
        if not failure.is_error and _is_task_of_job(environ):
            time.sleep(min(_SECONDS_PER_RANK * _rank(environ), _MOST_SECONDS_BEHIND))
            if may_requeue() and _requeued(environ):
                _wait_for_slurm(environ)
    finally:
        os._exit(PEER_LOST_EXIT_CODE)


def _is_task_of_job(environ: Mapping[str, str]) -> bool:
    """Whether srun, submitit's too, has started this process, or the torchrun that did."""
    step = environ.get("SLURM_STEP_ID", "")
    is_by_srun = "SLURM_JOB_ID" in environ and step.isdecimal() and int(step) < _FIRST_SPECIAL_STEP
    return is_by_srun and LAUNCHER not in environ and environ.get("SUBMITIT_EXECUTOR") != "local"


def _requeued(environ: Mapping[str, str]) -> bool:
    """Whether the job is requeued: by itself already, or asked to here."""
    job, restart = _job_id(environ), slurm_job(environ)["restart"]
    if _has_left(job, restart):
        return True
    if restart >= _MOST_REQUEUES:
        print(f"job {job} was requeued {_MOST_REQUEUES} times; submit it again to continue", file=sys.stderr)
        return False
    try:
        subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        print(f"job {job} cannot be requeued ({reason}); submit it again", file=sys.stderr)
        return False
    return True


def _has_left(job: str, restart: int) -> bool:
    """Whether the job is back in the queue already: a process that outlives its start must not end the next one."""
    shown = _shown(job)
    return shown != "" and ("JobState=RUNNING" not in shown or f"Restarts={restart} " not in shown)


def _outlives_signal(environ: Mapping[str, str]) -> bool:
    """Whether Slurm has not sent the signal: it ends a job soon after; False if that is not known."""
    shown = _shown(_job_id(environ))
    found = re.search(r" EndTime=(\S+)", shown)
    if found is None or "JobState=RUNNING" not in shown:
        return False
    with suppress(ValueError):  # Unknown, without a time limit
        return (datetime.fromisoformat(found[1]) - datetime.now()).total_seconds() > _MOST_SECONDS
    return False


def _shown(job: str) -> str:
    """What `scontrol` says of a job; "" if nothing."""
    try:
        return subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _job_id(environ: Mapping[str, str]) -> str:
    """For scontrol: one task of each array has the number of the whole array as its SLURM_JOB_ID."""
    task = [environ.get(f"SLURM_ARRAY_{name}", "") for name in ("JOB_ID", "TASK_ID")]
    return "_".join(task) if all(task) else environ["SLURM_JOB_ID"]


def _wait_for_slurm(environ: Mapping[str, str]) -> None:
    print(f"waiting for Slurm to end job {_job_id(environ)}", file=sys.stderr)
    time.sleep(_MOST_SECONDS)


def _rank(environ: Mapping[str, str]) -> int:
    env = rank_from_env(environ)
    return 0 if env is None else env.rank
