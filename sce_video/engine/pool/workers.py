"""Ordered task pool: worker processes that may crash or hang, and results in the order of the tasks."""

import ctypes
import mmap
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any

import torch

from sce_video.engine.pool.shm_transport import unpack
from sce_video.engine.pool.watchdog import working_on
from sce_video.engine.pool.worker import POLL_SECONDS, Death, Raised, Result, Task, Worker, WorkerSpec
from sce_video.errors import UserError
from sce_video.runtime.logging import LOGGER

# <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_ALLOWED = 32 * 2**20  # bytes; glibc refuses a larger threshold for mmap
_NEVER = 2**31 - 1

# A socket's buffer holds about 270 messages on Linux; sending more would block.
_MAX_TASKS_AHEAD = 64
# Consecutive deaths of a worker, with neither a result nor a blocked video in between, that end the run.
_MAX_DEATHS = 10
_WITHOUT_SIGNAL = 255


class WorkerError(UserError):
    """Worker processes keep dying; the message names the cause."""


class Workers:
    """Pool of processes whose tasks work on items (videos, in the loader), which are indices from 0.

    A process that dies, or exceeds the time limit of an item, is replaced and its tasks are redone; no result is lost
    or given twice. An item on which two processes in a row die is blocked: `work` must refuse it from then on. The
    retry is for accidents: out of memory, a file server that hangs.

    Args:
        num_workers: 0 does the tasks in this process, without time limits and pinning.
        timeout_seconds: per item, above 0. The kernel ends the process, so native code cannot delay it.
        name: of an item, for messages.
        tasks_ahead: how many results each worker prepares, at most 64.
        pin_memory: of the results' tensors, for non-blocking copies to a GPU.
    """

    def __init__(
        self,
        num_workers: int,
        *,
        num_items: int,
        timeout_seconds: float,
        name: Callable[[int], object],
        tasks_ahead: int = 1,
        pin_memory: bool = False,
    ) -> None:
        self._num_workers = num_workers
        self._timeout_seconds = timeout_seconds
        self._name = name
        self._tasks_ahead = tasks_ahead
        self._pin_memory = pin_memory
        self._blocked = mmap.mmap(-1, num_items)  # shared with forked processes; a byte for each item, 0 is not blocked

    def working_on(self, item: int | None) -> None:
        """Called in `work`: this process works on `item`, or (None) on none, until the next call or the task's end."""
        working_on(item)

    def name_of(self, item: int) -> str:
        return str(self._name(item))

    def block(self, item: int, signal_number: int) -> None:
        """Never work on `item` again: a process died on it, of this signal (0: without a signal)."""
        self._blocked[item] = signal_number or _WITHOUT_SIGNAL

    def why_blocked(self, item: int) -> str | None:
        """One line that names a blocked item and how it ended a process; None for all others."""
        return self._described(item, self._blocked[item] % _WITHOUT_SIGNAL) if self._blocked[item] else None

    def blocked(self) -> dict[int, int]:
        """Blocked item -> signal, as `block` takes them."""
        return {item: number % _WITHOUT_SIGNAL for item, number in enumerate(self._blocked[:]) if number}

    def results(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result, None, None]:
        """`work(task)` for each task, in order; tensors in results are on the CPU.

        The workers are forked here, so `work` is not pickled, and end with the iterator.

        Raises:
            WorkerError: a worker dies again and again, or this system has no `fork`.
            Exception: as `work` raised it, with the worker's traceback as its cause.
        """
        if self._num_workers == 0:
            yield from map(work, tasks)
            return
        if "fork" not in multiprocessing.get_all_start_methods():
            raise WorkerError("this system cannot fork processes; set DATA.NUM_WORKERS 0")
        yield from self._forked(work, iter(tasks))

    def _forked(self, work: Callable[[Task], Result], tasks: Iterator[Task]) -> Iterator[Result]:
        new_process = multiprocessing.get_context("fork").Process
        spec = WorkerSpec(work, self._timeout_seconds, self._timeout_seconds, _set_up, new_process)
        crew = [_RetryingWorker(spec, self) for _ in range(self._num_workers)]
        ahead = min(self._tasks_ahead, _MAX_TASKS_AHEAD) * len(crew)
        try:
            for worker, task in zip(cycle(crew), islice(tasks, ahead)):
                worker.give(task)
            with ThreadPoolExecutor(1) as unpacker:
                yield from self._in_turn(crew, tasks, unpacker)
        finally:
            for worker in crew:
                worker.end()

    def _in_turn(
        self, crew: list["_RetryingWorker[Task, Result]"], tasks: Iterator[Task], unpacker: ThreadPoolExecutor
    ) -> Iterator[Result]:
        """Tasks and results alternate over the crew round-robin; the first worker without a task ends the iteration."""

        def unpacked(worker: _RetryingWorker[Task, Result]) -> Future[Any]:
            return unpacker.submit(unpack, worker.receive(), pin_memory=self._pin_memory)

        coming = None
        for index in cycle(range(len(crew))):
            worker, following = crew[index], crew[(index + 1) % len(crew)]
            if coming is None and not worker.tasks:
                return
            outcome = (coming or unpacked(worker)).result()
            for task in islice(tasks, 1):
                worker.give(task)
            if isinstance(outcome, Raised):
                raise outcome.with_cause()
            # Pinned in the thread while the caller uses this one.
            coming = unpacked(following) if following.has_result() else None
            yield outcome

    def _described(self, item: int | None, signal_number: int) -> str:
        """One line: how a worker died, and on which item."""
        if signal_number == signal.SIGALRM:
            end = f"exceeded its limit of {self._timeout_seconds:g} s"
        elif signal_number == signal.SIGKILL:
            end = "was killed (signal 9; out of memory?)"
        elif signal_number:
            end = f"died of signal {signal_number} ({signal.strsignal(signal_number)})"
        else:
            end = "exited without an error"
        return f"{'between videos' if item is None else self.name_of(item)}: its loader process {end}"


class _RetryingWorker(Worker[Task, Result]):
    """A worker that redoes its tasks after a death, and blocks an item on which it has died twice."""

    def __init__(self, spec: WorkerSpec[Task, Result], workers: Workers) -> None:
        super().__init__(spec)
        self._workers = workers
        self._suspects: set[int] = set()  # items on which a process died since the last result

    def receive(self) -> int:
        """Descriptor of the file with the oldest task's result; waits for it, and restarts the process after a death.

        Raises:
            WorkerError: too many deaths in a row.
        """
        while not isinstance(answer := self.poll(wait_seconds=POLL_SECONDS), int):
            if answer is not None:
                self._blame(answer)
                self.start()
        self.tasks.popleft()
        self._suspects.clear()
        return answer

    def _blame(self, death: Death) -> None:
        item, number = death.item, death.signal_number
        line = self._workers._described(item, number)
        if self.num_deaths == _MAX_DEATHS:
            raise WorkerError(
                f"{line}, the {self.num_deaths}th in a row; lower DATA.NUM_WORKERS or "
                f"DATA.PREFETCH_BATCHES, or give the job more memory"
            )
        if item is not None and item in self._suspects and self._workers.why_blocked(item) is None:
            self._workers.block(item, number)
            self.num_deaths = 0
            return
        LOGGER.warning("%s; retrying once in a new process", line)
        if item is not None:
            self._suspects.add(item)


def _set_up() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Make malloc reuse the memory of one batch, and of one frame, for the next instead of returning it each time.

    Does nothing where malloc is not glibc's. docs/performance.md has what it saves.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_ALLOWED)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
