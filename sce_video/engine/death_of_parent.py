"""A process that is not to outlive the one that has made it."""

import ctypes
import sys

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def signal_at_death_of_parent(number: int) -> None:
    """This process gets the signal when the thread that has made it ends, mostly with its process (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
