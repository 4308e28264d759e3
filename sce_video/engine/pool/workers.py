"""Tasks shared out to processes that may die or hang, with results in the order of the tasks.

torch's `DataLoader` raises a worker's death anywhere in the main process, and waits for good when one dies while it
sends or hangs with a batch in its hands: workers there share a queue and serve their results from a thread. Here each
has its own socket and keeps nothing that it has sent.
"""

import ctypes
import math
import multiprocessing
import os
import pickle
import signal
import socket
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Generic, NamedTuple, TypeVar

import torch

from sce_video.engine.death_of_parent import signal_at_death_of_parent
from sce_video.engine.machine import resident_bytes
from sce_video.engine.pool.shm_transport import Depot, has_file, pack, receive_file, send_file, unpack
from sce_video.engine.pool.watchdog import Post, Watch
from sce_video.errors import UserError
from sce_video.runtime.logging import LOGGER

Task = TypeVar("Task")
Result = TypeVar("Result")

# <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_ALLOWED = 32 * 2**20  # bytes; glibc refuses a larger threshold for mmap
_NEVER = 2**31 - 1

# A worker that has grown by so much makes way for a new one.
_MOST_GROWTH_BYTES = 2 * 2**30

# Between looks at whether the process on the other side of a silent socket still lives.
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
# Waiting messages fill a socket's buffer (about 270 of them on Linux); whoever sent more would wait for a reader.
_MOST_TASKS_AHEAD = 64
# Deaths of a worker in a row that end the run, where neither a result nor a lost video comes of them.
_MOST_DEATHS = 10


class WorkerError(UserError):
    """Worker processes die whatever is done about it; the message says of what."""


@dataclass(frozen=True)
class Workers:
    """Processes that do tasks.

    A worker that dies is replaced, and its tasks are done again; no result is lost or given twice. An item that two
    workers in a row die on (see `Watch`) is lost: `work` must refuse it from then on. The second try is for accidents:
    out of memory, a file server that stands still.

    Args:
        num_workers: 0 does the tasks in this process, where nothing is watched and nothing is pinned.
        tasks_ahead: how many each worker prepares; of more than 64 only so many.
        pin_memory: of the results' tensors, for copies to a GPU that do not block.
    """

    num_workers: int
    tasks_ahead: int
    pin_memory: bool
    watch: Watch

    def results(self, work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """`work(task)` for each task, in order; tensors in results are on the CPU.

        The workers are forked here, so `work` need not be pickled, and end with the iterator.

        Raises:
            WorkerError: a worker dies again and again, or there is no `fork` on this system.
            Exception: whatever `work` raised, with the worker's traceback as its cause.
        """
        if self.num_workers == 0:
            return map(work, tasks)
        if "fork" not in multiprocessing.get_all_start_methods():
            raise WorkerError("this system cannot fork processes; set DATA.NUM_WORKERS 0")
        return self._forked(work, iter(tasks))

    def _forked(self, work: Callable[[Task], Result], tasks: Iterator[Task]) -> Iterator[Result]:
        crew = [_Worker(work, self.watch) for _ in range(self.num_workers)]
        ahead = min(self.tasks_ahead, _MOST_TASKS_AHEAD) * len(crew)
        try:
            for worker, task in zip(cycle(crew), islice(tasks, ahead)):
                worker.give(task)
            with ThreadPoolExecutor(1) as unpacker:
                yield from self._in_turn(crew, tasks, unpacker)
        finally:
            for worker in crew:
                worker.end()

    def _in_turn(
        self, crew: list["_Worker[Task, Result]"], tasks: Iterator[Task], unpacker: ThreadPoolExecutor
    ) -> Iterator[Result]:
        """Tasks go round the crew, and so do results: the first worker without a task is behind the last result."""

        def unpacked(worker: _Worker[Task, Result]) -> Future[Any]:
            return unpacker.submit(unpack, worker.receive(), pin_memory=self.pin_memory)

        coming = None
        for place in cycle(range(len(crew))):
            worker, following = crew[place], crew[(place + 1) % len(crew)]
            if coming is None and not worker.tasks:
                return
            outcome = (coming or unpacked(worker)).result()
            for task in islice(tasks, 1):
                worker.give(task)
            if isinstance(outcome, _Raised):
                raise outcome.error from _WorkerTracebackError(outcome.traceback)
            # Pinned while the caller works with this one.
            coming = unpacked(following) if following.has_result() else None
            yield outcome


class _Worker(Generic[Task, Result]):
    """One process after the other that do the tasks given here, in their order."""

    def __init__(self, work: Callable[[Task], Result], watch: Watch) -> None:
        self.tasks: deque[Task] = deque()  # whose results have not been received
        self._work = work
        self._watch = watch
        self._post = Post()
        self._suspects: set[int] = set()  # what a process died on since the last result
        self._deaths = 0  # since then
        self._process: multiprocessing.process.BaseProcess | None = None

    def give(self, task: Task) -> None:
        self.tasks.append(task)
        if self._process is None:
            self._start()
        else:
            self._send(task)

    def has_result(self) -> bool:
        return self._process is not None and has_file(self._socket)

    def receive(self) -> int:
        """The file that holds the result of the oldest task; waits for it, over any number of deaths.

        Raises:
            WorkerError: too many of them.
        """
        while (file := self._wait()) is None:
            self._bury()
            self._start()
        self.tasks.popleft()
        self._suspects.clear()
        self._deaths = 0
        return file

    def end(self) -> None:
        """Kill it: a worker holds nothing that must be put away, and may never come back from native code."""
        if self._process is not None:
            self._process.kill()
            self._process.join(_LOOK_SECONDS)
            self._socket.close()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_LOOK_SECONDS)
        self._watch.expect(self._post)
        self._process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(theirs, self._post, self._work, self._watch, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()  # the process now has the only one, which closes when it dies
        for task in self.tasks:
            self._send(task)

    def _send(self, task: Task) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # a death is noticed when its turn comes
            send_file(self._socket, pack(task))

    def _wait(self) -> int | None:
        """The next result; None when the process has died, or does not move."""
        began = time.monotonic()
        while True:
            try:
                return receive_file(self._socket)
            except TimeoutError:
                waited = time.monotonic() - began
                is_alive = self._process is not None and self._process.is_alive()
                if not is_alive or self._watch.is_overdue(self._post, waited_seconds=waited):
                    return None

    def _bury(self) -> None:
        assert self._process is not None
        if self._post.is_retired:
            self._process.join(_PATIENCE_SECONDS)
            self._socket.close()
            return
        is_overdue = self._process.is_alive() and self._watch.is_overdue(self._post, waited_seconds=math.inf)
        self._process.kill()  # it may have closed its socket and live on
        self._process.join(_PATIENCE_SECONDS)  # one that waits for a dead disk cannot be killed: it is left behind
        self._socket.close()
        exit_code = self._process.exitcode
        number = signal.SIGALRM if is_overdue or exit_code is None else max(0, -exit_code)
        item = self._post.item
        self._deaths += 1
        if self._deaths == _MOST_DEATHS:
            raise WorkerError(
                f"{self._watch.describe(number, item)}, the {self._deaths}th in a row; lower DATA.NUM_WORKERS or "
                f"DATA.PREFETCH_BATCHES, or give the job more memory"
            )
        if item is not None and item in self._suspects and self._watch.why_lost(item) is None:
            self._watch.lose(item, number)
            self._deaths = 0
            return
        LOGGER.warning("%s; trying it once more in a new one", self._watch.describe(number, item))
        if item is not None:
            self._suspects.add(item)


class _Raised(NamedTuple):
    """What a worker sends instead of a result."""

    error: Exception
    traceback: str


class _WorkerTracebackError(Exception):
    """Never raised: the cause of a worker's error, shown above it."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def _serve(
    connection: socket.socket, post: Post, work: Callable[[Task], Result], watch: Watch, main_process: int
) -> None:
    """The life of a worker, until its main process is gone or kills it."""
    watch.take(post)
    signal_at_death_of_parent(signal.SIGKILL)  # it may be busy for long: with a video, or with fetching one
    torch.set_num_threads(1)
    keep_freed_memory()
    connection.settimeout(_LOOK_SECONDS)
    depot, first_bytes = Depot(), 0
    with closing(connection), suppress(BrokenPipeError, ConnectionResetError):
        while os.getppid() == main_process:
            try:
                file = receive_file(connection)
            except TimeoutError:
                continue
            if file is None:
                return
            watch.begin_between()
            outcome = _outcome(work, unpack(file, pin_memory=False), watch, depot)
            send_file(connection, outcome)
            watch.end()
            first_bytes = first_bytes or resident_bytes()
            if resident_bytes() - first_bytes > _MOST_GROWTH_BYTES:  # libraries leak, some a little with each file
                post.retire()
                return


def keep_freed_memory() -> None:
    """Let malloc use the memory of one batch, and of one frame, again for the next instead of giving it back each time.

    Does nothing where malloc is not glibc's. docs/performance.md has what it saves.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_ALLOWED)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)


def _outcome(work: Callable[[Task], Result], task: Task, watch: Watch, depot: Depot) -> int:
    try:
        result = work(task)
        watch.begin_between()
        return depot.pack(result)
    except Exception as error:  # not swallowed: raised again in the main process
        return depot.pack(_Raised(_portable(error), traceback.format_exc()))


def _portable(error: Exception) -> Exception:
    """The error, or what it says where it does not survive pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # its own class decides what that raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
