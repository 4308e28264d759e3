"""A pool of processes that outlives them: what kills or hangs one costs the task it was on, nothing else.

Not `engine/pool`, which shares tasks round robin and keeps results in order, as a loader must: here whoever is
free gets the next task, in processes of a fork server with a limit of memory.
"""

import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_BEGUN, _DONE, _LOST, _STOP = "begun", "done", "lost", "stop"
_MAX_FAILED_STARTS = 3
# From a task sent to work begun; reading the code from a slow disk takes a minute.
_MAX_START_SECONDS = 300.0


@dataclass(frozen=True)
class Lost:
    """A task without a result.

    Args:
        cause: "time", "memory" (its process may have no more, or was killed from outside, as a full machine does) or
            "crash", which memory may be behind too.
    """

    reason: str
    cause: str = "crash"


def run_isolated(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    num_workers: int,
    timeout_seconds: float,
    memory_bytes: int,
) -> Generator[tuple[Task, Result | Lost], None, None]:
    """Call `function` on each task in one of `num_workers` processes; yields in the order in which they end.

    Processes end with this one, however it ends, and on leaving the iterator.

    Args:
        function: found by its name in the new process, as pickle does.
        timeout_seconds: a task that takes longer is lost, and its process killed.
        memory_bytes: what a process may take; a task that wants more is lost.
    Raises:
        OSError: as `function` raised it, such as a full disk; or processes that cannot be started.
    """
    waiting = iter(tasks)
    workers: list[_Worker[Task, Result]] = []
    try:
        for _, task in zip(range(num_workers), waiting, strict=False):
            workers.append(_Worker(function, task, timeout_seconds, memory_bytes))
        while workers:
            for worker in _first_to_speak(workers):
                outcome = worker.outcome()
                if outcome is None:
                    continue
                finished = worker.task
                for task in waiting:
                    worker.give(task)
                    break
                else:
                    worker.end()
                    workers.remove(worker)
                yield finished, outcome
    finally:
        for worker in workers:
            worker.end()


def _first_to_speak(workers: "list[_Worker[Task, Result]]") -> "list[_Worker[Task, Result]]":
    """Wait until some have something to say, have died or are past their time."""
    next_deadline = min(worker.deadline for worker in workers)
    seconds = min(max(next_deadline - time.monotonic(), 0.0), 3600.0)
    ready = wait([worker.connection for worker in workers], timeout=seconds)
    now = time.monotonic()
    return [worker for worker in workers if worker.connection in ready or worker.deadline <= now]


def _start_forkserver() -> None:
    """Start it deaf to Ctrl-C: a terminal sends that to it too, and while it still imports it would die of it.

    Blocked, which it inherits, and not ignored: one that comes meanwhile is this process's a moment later.
    """
    resource_tracker.ensure_running()  # it would unblock
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker(Generic[Task, Result]):
    """One slot of the pool: a process on a task, replaced when it dies."""

    def __init__(
        self, function: Callable[[Task], Result], task: Task, timeout_seconds: float, memory_bytes: int
    ) -> None:
        self._arguments = (function, memory_bytes)
        self._timeout_seconds = timeout_seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._has_begun = False
        self.give(task)

    def give(self, task: Task) -> None:
        self.task = task
        self._failed_starts = 0
        self._send()

    def outcome(self) -> Result | Lost | None:
        """What came of the task; None if it has only begun."""
        if not self.connection.poll():
            self.end()
            if self._has_begun:
                return Lost(f"took longer than {self._timeout_seconds:g} seconds", "time")
            self._start_again(f"have not begun after {_MAX_START_SECONDS:g} seconds; is the disk stuck?")
            return None
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):  # OSError: it died in the middle of a message
            return self._died()
        if kind == _BEGUN:
            self._has_begun = True
            self.deadline = time.monotonic() + self._timeout_seconds
            return None
        if kind == _STOP:
            raise OSError(content)
        return Lost(content, "memory") if kind == _LOST else content

    def end(self) -> None:
        """Kill the process; one that is stuck in the kernel is left behind."""
        if self._process is not None:
            self._process.kill()
            self._process.join(timeout=10)
            self.connection.close()
            self._process = None

    def _send(self) -> None:
        try:
            if self._process is None:
                self._start()
            self.connection.send(self.task)
        except (BrokenPipeError, ConnectionResetError):  # it was killed between two tasks
            self.end()
            self._start()
            with suppress(BrokenPipeError, ConnectionResetError):  # it died as it started: seen when its turn comes
                self.connection.send(self.task)
        self._has_begun = False
        self.deadline = time.monotonic() + _MAX_START_SECONDS

    def _start(self) -> None:
        function, memory_bytes = self._arguments
        context = multiprocessing.get_context("forkserver")  # starts in milliseconds, from a process without threads
        context.set_forkserver_preload(["__main__", function.__module__])
        _start_forkserver()
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function, memory_bytes), daemon=True)
        self._process.start()
        theirs.close()

    def _died(self) -> Lost | None:
        assert self._process is not None
        self._process.join(timeout=10)
        code = self._process.exitcode
        self.end()
        if self._has_begun:
            is_killed = code == -signal.SIGKILL
            return Lost(f"its process died ({_name_of_exit(code)})", "memory" if is_killed else "crash")
        self._start_again(f"die as they start ({_name_of_exit(code)}); is the memory full?")
        return None

    def _start_again(self, trouble: str) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise OSError(f"worker processes {trouble}")
        self._send()


def _name_of_exit(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name


def _serve(connection: Connection, function: Callable[[Task], Result], memory_bytes: int) -> None:
    """The process's own main: task after task until the pool hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pool's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    memory_bytes = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send((_BEGUN, None))
        message: tuple[str, object]
        try:
            message = (_DONE, function(task))
        except MemoryError:
            message = (_LOST, f"needs more than {memory_bytes / 2**30:g} GiB of memory")
        except OSError as error:
            message = (_STOP, str(error))
        connection.send(message)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
