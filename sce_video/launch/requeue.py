"""What a job does after it was asked to stop and has saved, or has lost one of its processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from sce_video.launch.place import job_in, place_in
from sce_video.launch.program import LOST_A_PEER, say
from sce_video.runtime.checkpoints import newest_below
from sce_video.runtime.files import write_json
from sce_video.runtime.peers import Verdict

_MOST_REQUEUES = 100
# In a row, after the loss of a process, without a new checkpoint.
_MOST_WITHOUT_PROGRESS = 3
# Slurm ends a job that waits here; one that it forgets ends by itself.
_MOST_SECONDS = 600.0
# For whoever has started the processes to see first, and to say, what has ended one of them: a killed one is there at
# once, one with an error takes its time to end.
_SECONDS_BEHIND_KILLED, _SECONDS_BEHIND_ERROR = 1.0, 10.0
_RECORD = "requeues.json"


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
    if asked == signal.SIGUSR2:
        handler = signal.getsignal(signal.SIGUSR2)
        if callable(handler):
            handler(asked, None)  # the first task's ends the process
        elif in_slurm and not _requeued(environ, is_mine=_rank(environ) == 0):
            return code
    if in_slurm and asked in (signal.SIGUSR2, signal.SIGTERM):
        _wait_for_slurm(environ)
    return code


def leave_after_loss(verdict: Verdict, output_dir: Path, environ: Mapping[str, str] = os.environ) -> NoReturn:
    """End this process, from whatever thread, since another one of the run has ended.

    A job of Slurm comes again by `scontrol requeue`: at most 100 times, and not after three in a row that have left no
    new checkpoint. Not if the other one has said why: it would say so again.
    """
    time.sleep(_SECONDS_BEHIND_ERROR if verdict.is_error else _SECONDS_BEHIND_KILLED)
    say(f"error: {verdict.line}; the other processes stop")
    if not verdict.is_error and "SLURM_JOB_ID" in environ and may_come_again(output_dir, environ):
        place = place_in(environ)  # rank 0 may be the one that is lost, with all of its node
        if _requeued(environ, is_mine=place is None or place.local_rank == 0):
            _wait_for_slurm(environ)
    os._exit(LOST_A_PEER)


def may_come_again(output_dir: Path, environ: Mapping[str, str]) -> bool:
    """Whether a job that has lost a process had progress of late, the same for all that ask."""
    file, newest = output_dir / _RECORD, newest_below(output_dir)
    before: dict[str, Any] = {"restart": None, "checkpoint": None, "without_progress": 0}
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
    restart, in_vain = job_in(environ)["restart"], before["without_progress"]
    if restart != before["restart"]:
        in_vain = in_vain + 1 if newest == before["checkpoint"] else 0
        write_json(file, {"restart": restart, "checkpoint": newest, "without_progress": in_vain})
    if in_vain < _MOST_WITHOUT_PROGRESS:
        return True
    say(f"the job has lost a process {in_vain + 1} times without a new checkpoint in between; it is not requeued")
    return False


def _requeued(environ: Mapping[str, str], *, is_mine: bool) -> bool:
    """Whether the job will come again.

    Args:
        is_mine: whether this is the process that sees to it.
    """
    job, restart = environ["SLURM_JOB_ID"], job_in(environ)["restart"]
    if not is_mine or _has_left(job, restart):
        return True
    if restart >= _MOST_REQUEUES:
        print(f"job {job} was requeued {_MOST_REQUEUES} times; submit it again if it shall go on", file=sys.stderr)
        return False
    try:
        subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        print(f"job {job} cannot be requeued ({reason}); submit it again", file=sys.stderr)
        return False
    return True


def _has_left(job: str, restart: int) -> bool:
    """Whether the queue has the job back already: a process that outlives its start must not end the next one."""
    try:
        shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return "JobState=RUNNING" not in shown or f"Restarts={restart} " not in shown


def _wait_for_slurm(environ: Mapping[str, str]) -> None:
    print(f"waiting for Slurm to end job {environ['SLURM_JOB_ID']}", file=sys.stderr)
    time.sleep(_MOST_SECONDS)


def _rank(environ: Mapping[str, str]) -> int:
    place = place_in(environ)
    return 0 if place is None else place.rank
