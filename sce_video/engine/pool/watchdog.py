"""The watchdog over worker processes: what each is on and for how long it may be, enforced by the kernel's timer."""

import mmap
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

_NO_ITEM, _RETIRED = -1, -2
_GRACE_SECONDS = 10.0
_NANOSECONDS = 1_000_000_000
_LONGEST_SECONDS = 1e8  # three years: a timer of the kernel cannot be set to infinity


class WorkerSlot:
    """Shared memory in which a worker says what it is on, since when, for how long at most; read when it is dead too.

    Items are numbers from 0; in the loader they are videos.
    """

    NUM_BYTES = 24

    def __init__(self, memory: mmap.mmap, *, most_seconds: float) -> None:
        self._memory = memoryview(memory).cast("q")
        self.set(None, most_seconds=most_seconds)

    def set(self, item: int | None, *, most_seconds: float) -> None:
        """On this item from now on, or on none, for so long at most."""
        self._memory[2] = int(min(most_seconds, _LONGEST_SECONDS) * _NANOSECONDS)
        self._memory[1] = time.monotonic_ns()  # the same clock in all processes of a machine
        self._memory[0] = _NO_ITEM if item is None else item

    def retire(self) -> None:
        """The worker says that it ends of its own will."""
        self._memory[0] = _RETIRED

    @property
    def is_retired(self) -> bool:
        return self._memory[0] == _RETIRED

    @property
    def item(self) -> int | None:
        return self._memory[0] if self._memory[0] >= 0 else None

    def is_overdue(self, *, waited_seconds: float) -> bool:
        """Whether the worker has not moved for so long that even the kernel's timer has not ended it (a dead disk).

        Args:
            waited_seconds: for a result that it owes; a worker that is on no item may not have seen its task before.
        """
        seconds = (time.monotonic_ns() - self._memory[1]) / _NANOSECONDS
        seconds = seconds if self.item is not None else min(seconds, waited_seconds)
        return seconds > self._memory[2] / _NANOSECONDS + _GRACE_SECONDS


class _Worker(NamedTuple):
    slot: WorkerSlot
    timeout_seconds: float
    start_seconds: float


# What this process is, if it is a worker: the kernel's timer, too, is the process's.
_here: list[_Worker] = []


def become_worker(memory: mmap.mmap, *, timeout_seconds: float, start_seconds: float) -> WorkerSlot:
    """Make this process a worker that the kernel ends when it is on one item, or between two, for too long.

    Args:
        memory: of its slot.
        start_seconds: that it may leave a task lying before it is overdue.
    """
    slot = WorkerSlot(memory, most_seconds=start_seconds)
    _here[:] = [_Worker(slot, timeout_seconds, start_seconds)]
    return slot


def leave_signals_to_main_process() -> None:
    """Those that a job's processes all get are the main process's to act on; what ends this one does so at once."""
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGALRM):  # in native code too
        signal.signal(number, signal.SIG_DFL)


def working_on(item: int | None) -> None:
    """This worker is on `item`, or at work on none, from now until the next call; no worker, nothing happens."""
    for worker in _here:
        _set(worker.slot, item, worker.timeout_seconds)


def waiting_for_task() -> None:
    """This worker has nothing to do, for any time."""
    for worker in _here:
        signal.setitimer(signal.ITIMER_REAL, 0)
        worker.slot.set(None, most_seconds=worker.start_seconds)


@contextmanager
def waiting_for_others(*, most_seconds: float) -> Iterator[None]:
    """What this worker does here is nothing that its item can be blamed for (a slow network), nor counts as time on it.

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
