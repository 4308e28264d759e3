"""One worker process, from both of its ends: what all pools share.

torch's `DataLoader` raises a worker's death anywhere in the main process, and waits for good when one dies while it
sends or hangs with a batch in its hands: workers there share a queue and serve their results from a thread. Here each
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

# Between looks at whether the process on the other side of a silent socket still lives.
LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
# A worker that has grown by so much makes way for a new one.
_MOST_GROWTH_BYTES = 2 * 2**30


@dataclass(frozen=True)
class WorkerSpec(Generic[Task, Result]):
    """What a worker process does; pickled if the process is not forked.

    Args:
        work: a task's result, whose tensors are on the CPU. It says with `working_on` which item it is on.
        timeout_seconds: on one item, or between two, above 0; the kernel ends the process then.
        start_seconds: from a task that waits to work on it.
        set_up: called first in a new process.
        new_process: makes one of a target and its arguments.
        told_errors: raised by `work`, they are handed to the main process; others end the worker.
    """

    work: Callable[[Task], Result]
    timeout_seconds: float
    start_seconds: float
    set_up: Callable[[], None]
    new_process: Callable[..., BaseProcess]
    told_errors: tuple[type[Exception], ...] = (Exception,)


class Death(NamedTuple):
    """How a worker process has ended, as its exit code says, and the item that it was on."""

    item: int | None
    exit_code: int

    @property
    def signal_number(self) -> int:
        """SIGALRM where it took too long, 0 where it ended without a signal: some library called exit()."""
        return max(0, -self.exit_code)


class Raised(NamedTuple):
    """What a worker sends instead of a result."""

    error: Exception
    traceback: str

    def again(self) -> Exception:
        self.error.__cause__ = _WorkerTracebackError(self.traceback)
        return self.error


class _WorkerTracebackError(Exception):
    """Never raised: the cause of a worker's error, shown above it."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class Worker(Generic[Task, Result]):
    """The main process's end: one process after another that does the tasks given here, in their order."""

    def __init__(self, spec: WorkerSpec[Task, Result]) -> None:
        self.tasks: deque[Task] = deque()  # that have no result yet
        self.num_deaths = 0  # since the last result
        self._spec = spec
        self._process: BaseProcess | None = None

    def give(self, task: Task) -> None:
        if not self.tasks:
            self._owes_since = time.monotonic()
        self.tasks.append(task)
        if self._process is None:
            self.start()
        else:
            self._send(pack(task))

    def start(self) -> None:
        """Start a process, which gets all tasks that have no result."""
        self.socket, theirs = socket.socketpair()
        file = memory_file(WorkerSlot.NUM_BYTES)
        self._slot = WorkerSlot(mmap.mmap(file, WorkerSlot.NUM_BYTES), most_seconds=self._spec.start_seconds)
        self._owes_since = time.monotonic()
        self._process = self._spec.new_process(target=_serve, args=(theirs, self._spec), daemon=True)
        self._process.start()
        theirs.close()  # the process now has the only one, which closes when it dies
        self._send(file)
        for task in self.tasks:
            self._send(pack(task))

    def has_result(self) -> bool:
        return self._process is not None and has_file(self.socket)

    def news(self, *, wait_seconds: float) -> int | Death | None:
        """The file that holds the oldest task's result, or how the process has ended; None if there is nothing new.

        After a death there is no process until the next `give` or `start`.
        """
        assert self._process is not None
        if wait([self.socket], wait_seconds):
            file = receive_file(self.socket)
            if file is None:
                return self._buried()
            self.num_deaths = 0
            self._owes_since = time.monotonic()
            return file
        waited_seconds = time.monotonic() - self._owes_since
        if not self._process.is_alive() or self._slot.is_overdue(waited_seconds=waited_seconds):
            return self._buried()
        return None

    def end(self) -> None:
        """Kill it: a worker holds nothing that must be put away, and may never come back from native code."""
        if self._process is not None:
            self._process.kill()
            self._process.join(_PATIENCE_SECONDS)  # one that waits for a dead disk cannot be killed: it is left behind
            self.socket.close()

    def _buried(self) -> Death | None:
        """How the process has ended; None where it only made way for a new one."""
        assert self._process is not None
        is_overdue = self._process.is_alive() and self._slot.is_overdue(waited_seconds=math.inf)
        if not is_overdue:
            self._process.join(LOOK_SECONDS)  # its socket closes before it has ended, and its exit code is wanted
        self.end()  # it may have closed its socket and live on
        exit_code, self._process = self._process.exitcode, None
        if self._slot.is_retired:
            self.start()
            return None
        self.num_deaths += 1
        return Death(self._slot.item, -signal.SIGALRM if is_overdue or exit_code is None else exit_code)

    def _send(self, file: int) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # a death is noticed when its turn comes
            send_file(self.socket, file)


def _serve(connection: socket.socket, spec: WorkerSpec[Task, Result]) -> None:
    """The life of a worker, until its main process is gone or kills it."""
    leave_signals_to_main_process()
    signal_at_death_of_parent(signal.SIGKILL)  # it may be busy for long: with a video, or with fetching one
    connection.settimeout(LOOK_SECONDS)
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
            if resident_bytes() - first_bytes > _MOST_GROWTH_BYTES:  # libraries leak, some a little with each file
                slot.retire()
                return


def _next_file(connection: socket.socket) -> int | None:
    """None when the main process is gone."""
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
    except spec.told_errors as error:  # not swallowed: raised again in the main process
        return pool.pack(Raised(_portable(error), traceback.format_exc()))


def _portable(error: Exception) -> Exception:
    """The error, or what it says where it does not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # its own class decides what that raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
