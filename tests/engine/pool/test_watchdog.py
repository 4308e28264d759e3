import mmap
import os
import signal
import time

import pytest

from sce_video.engine.pool.watchdog import (
    WorkerSlot,
    become_worker,
    leave_signals_to_main_process,
    waiting_for_others,
    waiting_for_task,
    working_on,
)


def memory() -> mmap.mmap:
    return mmap.mmap(-1, WorkerSlot.NUM_BYTES)


def exit_code_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("is_worker", "is_done", "limit", "code"),
    [
        (True, False, 0.1, -signal.SIGALRM),
        (True, True, 1.0, 5),
        (False, False, 0.1, 5),
        (True, False, float("inf"), 5),
    ],
)
def test_only_a_worker_past_its_time_limit_is_ended(is_worker, is_done, limit, code):
    child = os.fork()
    if child == 0:
        leave_signals_to_main_process()
        if is_worker:
            become_worker(memory(), timeout_seconds=limit, start_seconds=limit)
        working_on(3)
        if is_done:
            waiting_for_task()
        time.sleep(1.5)
        os._exit(5)
    assert exit_code_of(child) == code


def test_the_item_of_a_dead_worker_can_be_read():
    shared = memory()
    slot = WorkerSlot(shared, most_seconds=1.0)
    assert slot.item is None
    for item in (0, 649_999):
        child = os.fork()
        if child == 0:
            become_worker(shared, timeout_seconds=9.0, start_seconds=9.0)
            working_on(item)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        assert slot.item == item
        assert not slot.has_retired


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_a_worker_ignores_the_jobs_signals(number):
    child = os.fork()
    if child == 0:
        leave_signals_to_main_process()
        os.kill(os.getpid(), number)
        os._exit(5)
    assert exit_code_of(child) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGALRM])
def test_a_worker_does_not_inherit_the_main_processs_handlers(number):
    before = signal.signal(number, lambda *_: os._exit(6))
    try:
        child = os.fork()
        if child == 0:
            leave_signals_to_main_process()
            os.kill(os.getpid(), number)
            os._exit(5)
        assert exit_code_of(child) == -number
    finally:
        signal.signal(number, before)


def on_one_item_while_waiting(*, waits_for: float, most: float, then: float) -> tuple[int, int | None]:
    """Exit code of a worker that waits for others during item 3, and its item at the end."""
    shared = memory()
    child = os.fork()
    if child == 0:
        leave_signals_to_main_process()
        become_worker(shared, timeout_seconds=1.0, start_seconds=1.0)
        working_on(3)
        with waiting_for_others(most_seconds=most):
            time.sleep(waits_for)
        time.sleep(then)
        os._exit(5)
    code = exit_code_of(child)
    item = memoryview(shared).cast("q")[0]
    return code, None if item < 0 else item


def test_waiting_for_others_pauses_the_time_limit():
    assert on_one_item_while_waiting(waits_for=1.5, most=30.0, then=0.0) == (5, 3)


def test_waiting_too_long_ends_the_worker_without_blaming_an_item():
    assert on_one_item_while_waiting(waits_for=30.0, most=0.2, then=0.0) == (-signal.SIGALRM, None)


def test_after_waiting_the_time_limit_starts_again():
    assert on_one_item_while_waiting(waits_for=0.1, most=30.0, then=30.0) == (-signal.SIGALRM, 3)


def test_a_worker_can_be_overdue_without_an_item():
    """The main process's wait for a result counts, not the worker's idle time before the task."""
    slot = WorkerSlot(memory(), most_seconds=100.0)
    slot._memory[1] -= 111 * 10**9  # 111 s ago; 10 s of grace after the kernel timer
    assert not slot.is_overdue(waited_seconds=0.0)
    assert not slot.is_overdue(waited_seconds=109.0)
    assert slot.is_overdue(waited_seconds=111.0)
    slot.set(3, most_seconds=100.0)
    assert not slot.is_overdue(waited_seconds=1000.0)
    slot._memory[1] -= 111 * 10**9
    assert slot.is_overdue(waited_seconds=0.0)


def test_waiting_for_others_too_long_is_overdue():
    slot = WorkerSlot(memory(), most_seconds=600.0)
    slot._memory[1] -= 609 * 10**9
    assert not slot.is_overdue(waited_seconds=1000.0)
    slot._memory[1] -= 2 * 10**9
    assert slot.is_overdue(waited_seconds=1000.0)


def test_outside_a_worker_waiting_has_no_limit():
    with waiting_for_others(most_seconds=0.01):
        time.sleep(0.1)
