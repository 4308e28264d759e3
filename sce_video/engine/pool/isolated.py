"""Unordered task pool with a memory limit per process: a crash or hang loses the task at hand and nothing else.

`Workers` keep results in order and retry, as a loader must. Here the next free process of a fork server gets the next
task, and a task is lost with its process.
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
from sce_video.engine.pool.worker import POLL_SECONDS, Death, Raised, Result, Task, Worker, WorkerSpec

_MAX_FAILED_STARTS = 3
# From sending a task to starting on it; importing the code from a slow disk takes a minute.
_MAX_START_SECONDS = 300.0


@dataclass(frozen=True)
class Lost:
    """A task without a result.

    Args:
        cause: "time", "memory" (over the process's limit, or killed from outside, as by the out-of-memory killer) or
            "crash", which may be due to memory too.
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
    """Call `function` on each task in one of `num_workers` processes; yields results as they complete.

    The processes end when the iterator is closed, and with this process, however it ends.

    Args:
        function: pickled by name.
        timeout_seconds: a task that takes longer is lost, and its process killed.
        memory_bytes: limit per process; a task that needs more is lost.
    Raises:
        OSError: raised by `function`, such as a full disk; or processes cannot be started.
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
        forwarded_errors=(OSError, MemoryError),
    )
    workers: list[Worker[Task, Result]] = []
    try:
        for task in islice(waiting, num_workers):
            workers.append(Worker(spec))
            workers[-1].give(task)
        while workers:
            wait([worker.socket for worker in workers], POLL_SECONDS)
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
    """The result of a worker's oldest task, or why it is lost; None while it runs."""
    answer = worker.poll(wait_seconds=0)
    if answer is None:
        return None
    if isinstance(answer, Death):
        return _lost(worker, answer, timeout_seconds)
    outcome = unpack(answer, pin_memory=False)
    if not isinstance(outcome, Raised):
        return outcome
    if isinstance(outcome.error, MemoryError):
        return Lost(f"needs more than {memory_bytes / 2**30:g} GiB of memory", "memory")
    raise outcome.with_cause()


def _lost(worker: Worker[Task, Result], death: Death, timeout_seconds: float) -> Lost | None:
    """Why a task is lost; None where its process had not started on it, so that it is retried."""
    number = death.signal_number
    name = signal.Signals(number).name if number else f"exit code {death.exit_code}"
    is_late = number == signal.SIGALRM
    if death.item is not None:
        worker.num_deaths = 0
        if is_late:
            return Lost(f"took longer than {timeout_seconds:g} seconds", "time")
        return Lost(f"its process died ({name})", "memory" if number == signal.SIGKILL else "crash")
    if worker.num_deaths == _MAX_FAILED_STARTS:
        late = f"have not started after {_MAX_START_SECONDS:g} seconds; does the disk respond?"
        raise OSError(f"worker processes {late if is_late else f'die on start ({name}); is the memory full?'}")
    worker.start()
    return None


def _as_one_item(function: Callable[[Task], Result], task: Task) -> Result:
    working_on(0)
    return function(task)


def _new_process(module: str, **target: Any) -> BaseProcess:
    """A process of the fork server, which has no threads; starts in milliseconds.

    The server starts with SIGINT blocked: a terminal sends Ctrl-C to it too, and would kill it during its imports.
    Blocked, which is inherited, not ignored: a SIGINT in between still reaches this process a moment later.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__, module])
    resource_tracker.ensure_running()  # starting it later would unblock SIGINT
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
    """Exit when the main process ends; its kernel parent is the fork server, so PDEATHSIG does not serve."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
