import gc
import itertools
import logging
import mmap
import multiprocessing
import os
import signal
import time

import pytest
import torch

from sce_video.engine.pool import watchdog, worker
from sce_video.engine.pool.workers import WorkerError, Workers
from sce_video.errors import ManifestError
from tests.deadly import WAYS, hang, kill, processes_begun_here

NUM_ITEMS = 40


def pool(*, num_workers: int, tasks_ahead: int = 2, timeout_seconds: float = 120.0) -> Workers:
    return Workers(
        num_workers,
        num_items=NUM_ITEMS,
        timeout_seconds=timeout_seconds,
        name=lambda item: f"{item}.mp4",
        tasks_ahead=tasks_ahead,
    )


def doing(workers: Workers, deadly: dict[int, str]):
    """`work` for tasks of several items: per item a tensor of its index, or the reason that it is blocked."""

    def work(task):
        done = []
        for item in task:
            if workers.why_blocked(item) is None:
                workers.working_on(item)
                if item in deadly:
                    WAYS[deadly[item]]()
                done.append(torch.full((item, 2), item))
            else:
                done.append(workers.why_blocked(item))
        return done

    return work


def numbers(result) -> list:
    return [len(part) if isinstance(part, torch.Tensor) else part for part in result]


@pytest.fixture
def log_lines(monkeypatch, caplog):
    monkeypatch.setattr(logging.getLogger("sce_video"), "propagate", True)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = processes_begun_here()
    yield
    assert processes_begun_here() == before


def test_why_items_are_blocked():
    workers = pool(num_workers=1)
    for item, number in ((3, signal.SIGSEGV), (4, signal.SIGALRM), (5, signal.SIGKILL), (6, 0)):
        workers.block(item, number)
    assert workers.why_blocked(2) is None
    assert workers.why_blocked(3) == "3.mp4: its loader process died of signal 11 (Segmentation fault)"
    assert workers.why_blocked(4) == "4.mp4: its loader process exceeded its limit of 120 s"
    assert workers.why_blocked(5) == "5.mp4: its loader process was killed (signal 9; out of memory?)"
    assert workers.why_blocked(6) == "6.mp4: its loader process exited without an error"


def test_blocked_items_can_be_blocked_again_in_the_next_run():
    first, second = pool(num_workers=1), pool(num_workers=0)
    for item, number in ((9, signal.SIGSEGV), (0, 0), (5, signal.SIGALRM)):
        first.block(item, number)
    assert first.blocked() == {0: 0, 5: 14, 9: 11}
    for item, number in first.blocked().items():
        second.block(item, number)
    assert [second.why_blocked(item) for item in range(10)] == [first.why_blocked(item) for item in range(10)]


def test_processes_forked_earlier_see_blocked_items():
    workers = pool(num_workers=1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(read, 1)
        os._exit(0 if workers.why_blocked(7) else 1)
    workers.block(7, signal.SIGSEGV)
    os.write(write, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("num_workers", [0, 1, 3])
@pytest.mark.parametrize("tasks_ahead", [1, 100])
@pytest.mark.parametrize("num_tasks", [0, 1, 13])
def test_results_are_in_the_order_of_the_tasks(num_workers, tasks_ahead, num_tasks):
    def work(task):
        if task % 4 == 0:
            time.sleep(0.002)
        return [task * 2]

    results = pool(num_workers=num_workers, tasks_ahead=tasks_ahead).results(work, range(num_tasks))
    assert list(results) == [[task * 2] for task in range(num_tasks)]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_worker_that_has_grown_is_replaced_silently(num_workers, monkeypatch, log_lines):
    monkeypatch.setattr(worker, "_MAX_GROWTH_BYTES", 40 * 2**20)
    leaked = []

    def work(task):
        leaked.append(mmap.mmap(-1, 10 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))  # past malloc's stock
        leaked[-1].write(b"x" * len(leaked[-1]))
        return os.getpid(), task

    results = list(pool(num_workers=num_workers).results(work, range(30)))
    assert [task for _, task in results] == list(range(30))
    assert 3 * num_workers <= len({doer for doer, _ in results}) <= 8 * num_workers
    assert log_lines() == []


def test_workers_are_other_processes_and_few_tasks_are_drawn_ahead():
    drawn = []
    tasks = (drawn.append(task) or task for task in itertools.count())
    results = pool(num_workers=2, tasks_ahead=3).results(lambda task: os.getpid(), tasks)
    doers = [next(results) for _ in range(10)]
    assert os.getpid() not in doers
    assert len(set(doers)) == 2
    assert len(drawn) <= 10 + 2 * 3
    results.close()


@pytest.mark.parametrize(("way", "num_workers"), [("kill", 1), ("kill", 2), ("kill", 3), ("segfault", 2), ("leave", 2)])
def test_a_worker_that_dies_is_replaced_and_its_item_blocked(way, num_workers, log_lines):
    """On the first item, in the middle, on the last, on two of one task."""
    deadly = dict.fromkeys((0, 13, 14, 20, 39), way)
    workers = pool(num_workers=num_workers)
    tasks = [range(start, start + 4) for start in range(0, NUM_ITEMS, 4)]
    results = list(workers.results(doing(workers, deadly), tasks))
    found = [part for result in results for part in numbers(result)]
    assert found == [workers.why_blocked(item) if item in deadly else item for item in range(NUM_ITEMS)]
    assert list(workers.blocked()) == list(deadly)
    assert all(f"{item}.mp4: its loader process" in found[item] for item in deadly)
    assert sum("retrying once" in line for line in log_lines()) == len(deadly)


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_worker_that_hangs_in_native_code_is_ended(num_workers):
    workers = pool(num_workers=num_workers, timeout_seconds=0.7)
    results = list(workers.results(doing(workers, {1: "hang", 2: "hang"}), [[0, 1], [2, 3], [4, 5]]))
    why = [
        "1.mp4: its loader process exceeded its limit of 0.7 s",
        "2.mp4: its loader process exceeded its limit of 0.7 s",
    ]
    assert list(map(numbers, results)) == [[0, why[0]], [why[1], 3], [4, 5]]


def test_the_time_limit_is_per_item():
    workers = pool(num_workers=1, timeout_seconds=3.0)

    def work(task):
        for item in range(16):
            workers.working_on(item)
            time.sleep(0.2)
        return task

    assert list(workers.results(work, ["done"])) == ["done"]
    assert workers.blocked() == {}


def test_an_idle_worker_has_no_time_limit(log_lines):
    workers = pool(num_workers=1, tasks_ahead=1, timeout_seconds=1.0)
    results = workers.results(doing(workers, {}), [[1], [2], [3]])
    assert numbers(next(results)) == [1]
    time.sleep(1.5)
    assert [numbers(result) for result in results] == [[2], [3]]
    assert log_lines() == []


@pytest.mark.parametrize("when", ["before the first", "after the last"])
def test_a_worker_that_hangs_between_items_is_ended_and_no_item_blocked(when, log_lines):
    """In native code, as while it collates or writes to a pipe that nobody reads."""
    tries = mmap.mmap(-1, 1)
    workers = pool(num_workers=1, timeout_seconds=0.7)

    def work(task):
        for moment in ("before the first", "after the last"):
            if moment == "after the last":
                workers.working_on(task)
                workers.working_on(None)
            if moment == when and task == 2 and tries[0] == 0:
                tries[0] = 1
                hang()
        return task

    assert list(workers.results(work, range(4))) == [0, 1, 2, 3]
    assert workers.blocked() == {}
    assert log_lines() == [
        "between videos: its loader process exceeded its limit of 0.7 s; retrying once in a new process"
    ]


def test_a_worker_stopped_before_its_task_is_replaced(monkeypatch, log_lines):
    """The kernel timer does not end a stopped process."""
    monkeypatch.setattr(watchdog, "_GRACE_SECONDS", 0.5)
    doers = []

    def tasks():
        yield from (0, 1)
        os.kill(doers[0], signal.SIGSTOP)  # its next task is given to it after this
        yield from (2, 3)

    workers = pool(num_workers=1, tasks_ahead=1, timeout_seconds=0.7)
    for doer, task in workers.results(lambda task: (os.getpid(), task), tasks()):
        doers.append(doer)
        assert task == len(doers) - 1
    assert len(doers) == 4
    assert doers[0] == doers[1] != doers[2] == doers[3]
    assert log_lines() == [
        "between videos: its loader process exceeded its limit of 0.7 s; retrying once in a new process"
    ]


def test_one_death_does_not_block_an_item(log_lines):
    tries = mmap.mmap(-1, NUM_ITEMS)  # seen by all processes
    workers = pool(num_workers=2)

    def work(item):
        workers.working_on(item)
        tries[item] += 1
        if tries[item] == 1:
            kill()
        return [item]

    assert list(workers.results(work, range(12))) == [[item] for item in range(12)]
    assert workers.blocked() == {}
    assert "0.mp4: its loader process was killed (signal 9; out of memory?); retrying once" in log_lines()[0]


def test_deaths_on_one_item_with_a_result_between_do_not_add_up():
    tries = mmap.mmap(-1, 1)
    workers = pool(num_workers=1)

    def work(item):
        workers.working_on(item)
        tries[0] += 1
        if tries[0] in (1, 3):
            kill()
        return item

    assert list(workers.results(work, [3, 3])) == [3, 3]
    assert tries[0] == 4
    assert workers.blocked() == {}


def test_results_from_before_a_death_are_not_redone():
    done = mmap.mmap(-1, NUM_ITEMS)
    workers = pool(num_workers=1, tasks_ahead=6)
    work = doing(workers, {5: "kill"})

    def counted(task):
        done[task[0]] += 1
        return work(task)

    results = list(workers.results(counted, [[item] for item in range(7)]))
    assert [numbers(result)[0] for result in results[:5]] == [0, 1, 2, 3, 4]
    assert list(done[:7]) == [1, 1, 1, 1, 1, 3, 1]


def test_repeated_deaths_between_items_end_the_run():
    results = pool(num_workers=2).results(lambda task: kill() if task == 3 else task, range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(
        WorkerError, match=r"between videos: .*\(signal 9; .*, the 10th in a row; lower DATA.NUM_WORKERS"
    ):
        next(results)


def test_work_that_does_not_refuse_a_blocked_item_ends_the_run():
    workers = pool(num_workers=1)

    def work(task):
        workers.working_on(3)
        kill()

    with pytest.raises(WorkerError, match=r"^3.mp4: .* the 10th in a row"):
        list(workers.results(work, [0]))


def test_many_deadly_items_in_one_task_do_not_end_the_run():
    workers = pool(num_workers=1)
    (result,) = workers.results(doing(workers, dict.fromkeys(range(8), "kill")), [range(10)])
    assert numbers(result)[8:] == [8, 9]
    assert len(workers.blocked()) == 8


class OddError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_errors_are_raised_in_the_main_process(num_workers):
    def work(task):
        if task == 3:
            raise ManifestError("list.txt is empty")
        return task

    results = pool(num_workers=num_workers).results(work, range(9))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ManifestError, match="list.txt is empty") as raised:
        next(results)
    if num_workers:
        assert "in work" in str(raised.value.__cause__)
        assert list(results) == []


def test_an_error_that_cannot_be_pickled_becomes_a_runtime_error():
    def work(task):
        raise OddError(1, 2)

    with pytest.raises(RuntimeError, match="OddError: 1 and 2"):
        list(pool(num_workers=1).results(work, [0]))


def test_a_result_that_cannot_be_pickled_is_an_error():
    with pytest.raises(AttributeError, match="local object"):
        list(pool(num_workers=1).results(lambda task: lambda: task, [0]))


def test_workers_end_with_the_iterator_even_while_they_hang():
    def work(task):
        if task > 1:
            hang()
        return task

    results = pool(num_workers=3).results(work, range(9))
    assert [next(results), next(results)] == [0, 1]
    assert len(processes_begun_here()) >= 3
    results.close()  # the fixture checks that no process is left


def test_no_descriptor_stays_open():
    gc.collect()  # of other tests' tracebacks
    before = len(os.listdir("/proc/self/fd"))
    workers = pool(num_workers=2)
    list(workers.results(doing(workers, {3: "kill", 8: "kill"}), [[item] for item in range(10)]))
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def wait_until(holds) -> None:
    """Return as soon as `holds()`; only a broken program reaches the time limit."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it does not hold after 30 s")


def main_program(there, workers, work) -> None:
    """A main process that sends every result, and at the end whether Ctrl-C reached it."""
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for result in workers.results(work, itertools.count()):
            there.send(result)
    except KeyboardInterrupt:
        there.send("stopped")


def start_main_program(workers, work):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=main_program, args=(there, workers, work))
    process.start()
    there.close()
    return process, here


def test_no_worker_outlives_a_main_process_that_is_killed():
    """Neither an idle worker nor one that hangs, which nothing else would end."""
    workers = pool(num_workers=2, timeout_seconds=300.0)

    def work(task):
        if task == 4:
            workers.working_on(0)
            hang()
        return os.getpid()

    process, here = start_main_program(workers, work)
    pids = {here.recv() for _ in range(4)}
    assert len(pids) == 2
    process.kill()
    process.join()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))


def test_ctrl_c_reaches_the_main_process_once(capfd):
    process, here = start_main_program(pool(num_workers=2), lambda task: time.sleep(0.01) or os.getpid())
    pids = {here.recv() for _ in range(4)}
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    while (last := here.recv()) != "stopped":
        assert last in pids  # the same workers continue until the main process ends them
    process.join()
    assert process.exitcode == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert "Traceback" not in capfd.readouterr().err
