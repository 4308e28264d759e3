"""What a job does after it was asked to stop and has saved."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from sce_video.launch.ranks import place_in

_MOST_REQUEUES = 100
# Slurm ends a job that waits here; one that it forgets ends by itself.
_MOST_SECONDS = 600.0


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
        elif in_slurm and not _requeued(environ):
            return code
    if in_slurm and asked in (signal.SIGUSR2, signal.SIGTERM):
        print(f"waiting for Slurm to end job {environ['SLURM_JOB_ID']}", file=sys.stderr)
        time.sleep(_MOST_SECONDS)
    return code


def _requeued(environ: Mapping[str, str]) -> bool:
    """Whether the job will come again; the first of its processes sees to it."""
    place, job = place_in(environ), environ["SLURM_JOB_ID"]
    if place is not None and place.rank > 0:
        return True
    if int(environ.get("SLURM_RESTART_COUNT", "0")) >= _MOST_REQUEUES:
        print(f"job {job} was requeued {_MOST_REQUEUES} times; submit it again if it shall go on", file=sys.stderr)
        return False
    try:
        subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        print(f"job {job} cannot be requeued ({reason}); submit it again", file=sys.stderr)
        return False
    return True
