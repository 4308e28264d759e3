"""One worker process, seen from the main process (`Worker`) and from within (`_serve`); all pools share it.

torch's `DataLoader` raises a worker's death anywhere in the main process, and waits forever when a worker dies while
sending or hangs while it holds a batch: its workers share a queue and serve results from a thread. Here each worker
has its own socket and keeps nothing that it has sent.
"""

import math
import mmap
import multiprocessing
import os
import pickle
import signal
import socket
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Generic, NamedTuple, TypeVar

from sce_video.engine.death_of_parent import signal_at_death_of_parent
from sce_video.engine.machine import resident_bytes
from sce_video.engine.pool.shm_transport import ShmPool, has_file, memory_file, pack, receive_file, send_file, unpack
from sce_video.engine.pool.watchdog import (
    WorkerSlot,
    become_worker,
    leave_signals_to_main_process,
    waiting_for_task,
    working_on,
)

Task = TypeVar("Task")
Result = TypeVar("Result")

# Between checks that the process on the other side of a silent socket is alive.
POLL_SECONDS = 1.0
_JOIN_SECONDS = 10.0
# A worker that has grown by this much is replaced.
_MAX_GROWTH_BYTES = 2 * 2**30


@dataclass(frozen=True)
class WorkerSpec(Generic[Task, Result]):
    """What a worker process does; pickled if the process is not forked.

    Args:
        work: computes a task's result, with tensors on the CPU; calls `working_on` for each item.
        timeout_seconds: for one item, or between two, above 0; then the kernel ends the process.
        start_seconds: limit from receiving a task to starting on it.
        set_up: called first in a new process.
        new_process: makes a process from a target and its arguments.
        forwarded_errors: errors of `work` that are raised in the main process; others end the worker.
    """

    work: Callable[[Task], Result]
    timeout_seconds: float
    start_seconds: float
    set_up: Callable[[], None]
    new_process: Callable[..., BaseProcess]
    forwarded_errors: tuple[type[Exception], ...] = (Exception,)


class Death(NamedTuple):
    """The death of a worker process: its exit code, and the item that it was working on."""

    item: int | None
    exit_code: int

    @property
    def signal_number(self) -> int:
        """SIGALRM for a timeout; 0 without a signal, as when a library calls exit()."""
        return max(0, -self.exit_code)


class Raised(NamedTuple):
    """An error of `work`, sent instead of a result."""

    error: Exception
    traceback: str

    def with_cause(self) -> Exception:
        """The error, with the worker's traceback as its cause."""
        self.error.__cause__ = _WorkerTracebackError(self.traceback)
        return self.error


class _WorkerTracebackError(Exception):
    """Never raised: the cause of a worker's error, shown above it."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class Worker(Generic[Task, Result]):
    """The main process's handle on a worker, which does tasks in order; a new process can replace a dead one."""

    def __init__(self, spec: WorkerSpec[Task, Result]) -> None:
        self.tasks: deque[Task] = deque()  # without a result so far
        self.num_deaths = 0  # since the last result
        self._spec = spec
        self._process: BaseProcess | None = None

    def give(self, task: Task) -> None:
        if not self.tasks:
            self._waiting_since = time.monotonic()
        self.tasks.append(task)
        if self._process is None:
            self.start()
        else:
            self._send(pack(task))

    def start(self) -> None:
        """Start a process and send it all tasks without a result."""
        self.socket, theirs = socket.socketpair()
        file = memory_file(WorkerSlot.NUM_BYTES)
        self._slot = WorkerSlot(mmap.mmap(file, WorkerSlot.NUM_BYTES), most_seconds=self._spec.start_seconds)
        self._waiting_since = time.monotonic()
        process = self._spec.new_process(target=_serve, args=(theirs, self._spec), daemon=True)
        process.start()
        self._process = process  # only now: a process that failed to start (no memory, Ctrl-C) cannot be killed
        theirs.close()  # the process now has the only copy, which closes when it dies
        self._send(file)
        for task in self.tasks:
            self._send(pack(task))

    def has_result(self) -> bool:
        return self._process is not None and has_file(self.socket)

    def poll(self, *, wait_seconds: float) -> int | Death | None:
        """Descriptor of the file with the oldest task's result, or the process's death; None if neither has come.

        After a death there is no process until the next `give` or `start`.
        """
        assert self._process is not None
        if wait([self.socket], wait_seconds):
            file = receive_file(self.socket)
            if file is None:
                return self._reaped()
            self.num_deaths = 0
            self._waiting_since = time.monotonic()
            return file
        waited_seconds = time.monotonic() - self._waiting_since
        if not self._process.is_alive() or self._slot.is_overdue(waited_seconds=waited_seconds):
            return self._reaped()
        return None

    def end(self) -> None:
        """Kill the process: it has nothing to clean up, and may never return from native code."""
        if self._process is not None:
            self._process.kill()
            self._process.join(_JOIN_SECONDS)  # one that waits for a dead disk cannot be killed, and is abandoned
            self.socket.close()

    def _reaped(self) -> Death | None:
        """The death of the process; None where it retired and is replaced."""
        assert self._process is not None
        is_overdue = self._process.is_alive() and self._slot.is_overdue(waited_seconds=math.inf)
        if not is_overdue:
            self._process.join(POLL_SECONDS)  # its socket closes before it exits, with a code of its own
        self.end()  # it may still be alive
        exit_code, self._process = self._process.exitcode, None
        if self._slot.has_retired:
            self.start()
            return None
        self.num_deaths += 1
        return Death(self._slot.item, -signal.SIGALRM if is_overdue or exit_code is None else exit_code)

    def _send(self, file: int) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the next `poll` notices the death
            send_file(self.socket, file)


def _serve(connection: socket.socket, spec: WorkerSpec[Task, Result]) -> None:
    """Main loop of a worker, until its main process ends or kills it."""
    leave_signals_to_main_process()
    signal_at_death_of_parent(signal.SIGKILL)  # it may work on one video for a long time
    connection.settimeout(POLL_SECONDS)
    spec.set_up()
    with closing(connection), suppress(BrokenPipeError, ConnectionResetError):
        file = _next_file(connection)
        if file is None:
            return
        memory = mmap.mmap(file, WorkerSlot.NUM_BYTES)
        os.close(file)
        slot = become_worker(memory, timeout_seconds=spec.timeout_seconds, start_seconds=spec.start_seconds)
        pool, first_bytes = ShmPool(), 0
        while (file := _next_file(connection)) is not None:
            working_on(None)
            outcome = _outcome(spec, unpack(file, pin_memory=False), pool)
            waiting_for_task()  # before the main process can know, and counts the time to the next task
            send_file(connection, outcome)
            first_bytes = first_bytes or resident_bytes()
            if resident_bytes() - first_bytes > _MAX_GROWTH_BYTES:  # libraries leak, some a little with each file
                slot.retire()
                return


def _next_file(connection: socket.socket) -> int | None:
    """The next descriptor; None when the main process has ended."""
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive():
        with suppress(TimeoutError):
            return receive_file(connection)
    return None


def _outcome(spec: WorkerSpec[Task, Result], task: Task, pool: ShmPool) -> int:
    try:
        result = spec.work(task)
        working_on(None)
        return pool.pack(result)
    except spec.forwarded_errors as error:  # not swallowed: raised again in the main process
        return pool.pack(Raised(_portable(error), traceback.format_exc()))


def _portable(error: Exception) -> Exception:
    """The error, or a RuntimeError with its text if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # any class of error may come with a __reduce__ that raises anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
