"""Watchdog of worker processes: a time limit per item, held by a kernel timer, and the item to blame for a death."""

import mmap
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_NO_ITEM, _RETIRED = -1, -2
_GRACE_SECONDS = 10.0
_NANOSECONDS = 1_000_000_000
_LONGEST_SECONDS = 1e8  # three years: a kernel timer cannot be set to infinity


class WorkerSlot:
    """A worker's record in shared memory: current item, its start and its time limit; readable after its death.

    Items are indices from 0; in the loader they are videos.
    """

    NUM_BYTES = 24

    def __init__(self, memory: mmap.mmap, *, most_seconds: float) -> None:
        self._memory = memoryview(memory).cast("q")
        self.set(None, most_seconds=most_seconds)

    def set(self, item: int | None, *, most_seconds: float) -> None:
        """Working on this item (None: on none) from now on, for at most `most_seconds`."""
        self._memory[2] = int(min(most_seconds, _LONGEST_SECONDS) * _NANOSECONDS)
        self._memory[1] = time.monotonic_ns()  # one clock for all processes of a machine
        self._memory[0] = _NO_ITEM if item is None else item

    def retire(self) -> None:
        """Mark the worker as ending on purpose, to be replaced without blaming an item."""
        self._memory[0] = _RETIRED

    @property
    def has_retired(self) -> bool:
        return self._memory[0] == _RETIRED

    @property
    def item(self) -> int | None:
        return self._memory[0] if self._memory[0] >= 0 else None

    def is_overdue(self, *, waited_seconds: float) -> bool:
        """Whether the worker has outlived its time limit, so that not even the kernel timer could end it (a dead disk).

        Args:
            waited_seconds: since its task was sent; a worker on no item may not have received it earlier.
        """
        seconds = (time.monotonic_ns() - self._memory[1]) / _NANOSECONDS
        seconds = seconds if self.item is not None else min(seconds, waited_seconds)
        return seconds > self._memory[2] / _NANOSECONDS + _GRACE_SECONDS


class _Worker(NamedTuple):
    slot: WorkerSlot
    timeout_seconds: float
    start_seconds: float


# This process's worker, if it is one; global, like its kernel timer.
_here: list[_Worker] = []


def become_worker(memory: mmap.mmap, *, timeout_seconds: float, start_seconds: float) -> WorkerSlot:
    """Make this process a worker that the kernel ends when one item, or the time between two, takes too long.

    Args:
        memory: of its slot.
        start_seconds: limit from receiving a task to starting on it.
    """
    slot = WorkerSlot(memory, most_seconds=start_seconds)
    _here[:] = [_Worker(slot, timeout_seconds, start_seconds)]
    return slot


def leave_signals_to_main_process() -> None:
    """Ignore signals that a whole job gets, which the main process handles; let SIGTERM and SIGALRM end this one."""
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGALRM):  # the default action, so that they end native code too
        signal.signal(number, signal.SIG_DFL)


def working_on(item: int | None) -> None:
    """Start the time limit of `item`, or (None) of work on no item; does nothing outside a worker."""
    for worker in _here:
        _set(worker.slot, item, worker.timeout_seconds)


def waiting_for_task() -> None:
    """Stop the time limit: this worker is idle."""
    for worker in _here:
        signal.setitimer(signal.ITIMER_REAL, 0)
        worker.slot.set(None, most_seconds=worker.start_seconds)


@contextmanager
def waiting_for_others(*, most_seconds: float) -> Iterator[None]:
    """A pause of the item's time limit, for waits that are not its fault (a slow network).

    A process that dies here, or is ended after `most_seconds`, dies between items: no item is blamed.
    """
    items = [worker.slot.item for worker in _here]
    for worker in _here:
        _set(worker.slot, None, most_seconds)
    try:
        yield
    finally:
        for item in items:
            working_on(item)


def _set(slot: WorkerSlot, item: int | None, most_seconds: float) -> None:
    slot.set(item, most_seconds=most_seconds)
    signal.setitimer(signal.ITIMER_REAL, min(most_seconds, _LONGEST_SECONDS))
