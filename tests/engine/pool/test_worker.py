"""One worker process, seen from the main process; the pools have their own tests."""

import multiprocessing
import os
import signal

import pytest

from sce_video.engine.pool.shm_transport import unpack
from sce_video.engine.pool.watchdog import working_on
from sce_video.engine.pool.worker import Death, Raised, Worker, WorkerSpec
from tests.deadly import leave


def work(task):
    working_on(7)
    if task == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "leave":
        leave()
    if task == "raise":
        raise ValueError("a message")
    return task


def answer_of(worker):
    while (answer := worker.poll(wait_seconds=1.0)) is None:
        pass
    return answer


def test_poll_returns_results_deaths_and_errors():
    new_process = multiprocessing.get_context("fork").Process
    worker = Worker(WorkerSpec(work, 60.0, 60.0, lambda: None, new_process, forwarded_errors=(ValueError,)))
    try:
        for task, death in (("kill", Death(7, -signal.SIGKILL)), ("leave", Death(7, 3))):
            worker.give(task)
            assert answer_of(worker) == death
            assert worker.tasks.popleft() == task
        assert worker.num_deaths == 2
        assert [Death(7, code).signal_number for code in (-9, 3)] == [9, 0]
        for task in ("fine", "raise"):
            worker.give(task)
        assert unpack(answer_of(worker), pin_memory=False) == "fine"
        assert worker.num_deaths == 0
        raised = unpack(answer_of(worker), pin_memory=False)
        assert isinstance(raised, Raised)
        assert str(raised.with_cause()) == "a message"
        assert "in work" in str(raised.with_cause().__cause__)
    finally:
        worker.end()


class _NoMemory(multiprocessing.get_context("fork").Process):
    def start(self):
        raise BlockingIOError(11, "Resource temporarily unavailable")  # as os.fork() raises it


def test_a_process_that_failed_to_start_can_be_ended():
    worker = Worker(WorkerSpec(work, 60.0, 60.0, lambda: None, _NoMemory))
    with pytest.raises(BlockingIOError):
        worker.give("fine")
    worker.end()
