"""Signal to a process whose parent dies."""

import ctypes
import sys

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def signal_at_death_of_parent(number: int) -> None:
    """Send this process a signal when the thread that started it ends, usually with its process (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
