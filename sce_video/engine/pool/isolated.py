"""Tasks given to processes with a limit of memory: what kills or hangs one costs the task it was on, nothing else.

Beside `Workers`, which keep results in order and try again, as a loader must: here whoever is free gets the next task,
in processes of a fork server, and a task is lost with its process.
"""

import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from sce_video.engine.pool.shm_transport import unpack
from sce_video.engine.pool.watchdog import working_on
from sce_video.engine.pool.worker import LOOK_SECONDS, Death, Raised, Result, Task, Worker, WorkerSpec

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
    _, most_bytes = resource.getrlimit(resource.RLIMIT_DATA)
    memory_bytes = memory_bytes if most_bytes == resource.RLIM_INFINITY else min(memory_bytes, most_bytes)
    spec: WorkerSpec[Task, Result] = WorkerSpec(
        partial(_as_one_item, function),
        timeout_seconds=timeout_seconds,
        start_seconds=_MAX_START_SECONDS,
        set_up=partial(_set_up, memory_bytes),
        new_process=partial(_new_process, function.__module__),
        told_errors=(OSError, MemoryError),
    )
    workers: list[Worker[Task, Result]] = []
    try:
        for task in islice(waiting, num_workers):
            workers.append(Worker(spec))
            workers[-1].give(task)
        while workers:
            wait([worker.socket for worker in workers], LOOK_SECONDS)
            for worker in list(workers):
                outcome = _outcome(worker, timeout_seconds, memory_bytes)
                if outcome is None:
                    continue
                finished = worker.tasks.popleft()
                for task in islice(waiting, 1):
                    worker.give(task)
                if not worker.tasks:
                    worker.end()
                    workers.remove(worker)
                yield finished, outcome
    finally:
        for worker in workers:
            worker.end()


def _outcome(worker: Worker[Task, Result], timeout_seconds: float, memory_bytes: int) -> Result | Lost | None:
    """What came of a worker's task; None if nothing has yet."""
    news = worker.news(wait_seconds=0)
    if news is None:
        return None
    if isinstance(news, Death):
        return _lost(worker, news, timeout_seconds)
    outcome = unpack(news, pin_memory=False)
    if not isinstance(outcome, Raised):
        return outcome
    if isinstance(outcome.error, MemoryError):
        return Lost(f"needs more than {memory_bytes / 2**30:g} GiB of memory", "memory")
    raise outcome.again()


def _lost(worker: Worker[Task, Result], death: Death, timeout_seconds: float) -> Lost | None:
    """None where the process has not begun with its task: it is tried again."""
    number = death.signal_number
    name = signal.Signals(number).name if number else f"exit code {death.exit_code}"
    is_late = number == signal.SIGALRM
    if death.item is not None:
        worker.num_deaths = 0
        if is_late:
            return Lost(f"took longer than {timeout_seconds:g} seconds", "time")
        return Lost(f"its process died ({name})", "memory" if number == signal.SIGKILL else "crash")
    if worker.num_deaths == _MAX_FAILED_STARTS:
        late = f"have not begun after {_MAX_START_SECONDS:g} seconds; is the disk stuck?"
        raise OSError(f"worker processes {late if is_late else f'die as they start ({name}); is the memory full?'}")
    worker.start()
    return None


def _as_one_item(function: Callable[[Task], Result], task: Task) -> Result:
    working_on(0)
    return function(task)


def _new_process(module: str, **target: Any) -> BaseProcess:
    """From a fork server, a process without threads: starts in milliseconds.

    The server starts deaf to Ctrl-C: a terminal sends that to it too, and while it still imports it would die of it.
    Blocked, which it inherits, and not ignored: one that comes meanwhile is this process's a moment later.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__, module])
    resource_tracker.ensure_running()  # it would unblock
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context.Process(**target)


def _set_up(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """The main process is not the parent that the kernel knows: that is the fork server."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
