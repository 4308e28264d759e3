"""Processes that crash, hang and grow. Tasks are expressions for `eval`, which can be pickled by name."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sce_video.engine.pool import isolated, watchdog
from sce_video.engine.pool.isolated import Lost, run_isolated

OS, TIME = "__import__('os')", "__import__('time')"


def run(tasks: Iterable[str], **changed: float) -> dict[str, object]:
    limits = {"num_workers": 2, "timeout_seconds": 60.0, "memory_bytes": 3 << 30, **changed}
    return dict(run_isolated(eval, tasks, **limits))  # type: ignore[arg-type]


def alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().split(")")[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_results_of_more_tasks_than_workers() -> None:
    assert run([f"{i} * {i}" for i in range(9)]) == {f"{i} * {i}": i * i for i in range(9)}
    assert run([]) == {}


def test_a_crash_costs_one_task() -> None:
    tasks = [f"{OS}.abort()", "1", f"{OS}.kill({OS}.getpid(), 9)", "2", "[].no_such", "3", f"{OS}._exit(7)", "4"]
    outcomes = run(tasks)
    assert [outcomes[str(number)] for number in (1, 2, 3, 4)] == [1, 2, 3, 4]
    reasons = [outcomes[task] for task in tasks[::2]]
    names = {"SIGABRT": "crash", "SIGKILL": "memory", "exit code 1": "crash", "exit code 7": "crash"}
    assert reasons == [Lost(f"its process died ({name})", cause) for name, cause in names.items()]


def test_a_hang_costs_one_task_and_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "_GRACE_SECONDS", 0.5)  # no timer ends a process that is stopped
    tasks = [f"{OS}.kill({OS}.getpid(), {int(signal.SIGSTOP)})", "1", f"{TIME}.sleep(1000)", "2"]
    outcomes = run(tasks, timeout_seconds=2.5)
    late = Lost("took longer than 2.5 seconds", "time")
    assert outcomes == {tasks[0]: late, "1": 1, tasks[2]: late, "2": 2}


def test_a_task_over_the_memory_limit_is_lost_and_the_next_is_not() -> None:
    outcomes = run(["len(bytearray(4 << 30))", "len(bytearray(1 << 20))"], num_workers=1)
    assert list(outcomes.values()) == [Lost("needs more than 3 GiB of memory", "memory"), 1 << 20]


def test_an_oserror_of_a_task_ends_the_run() -> None:
    with pytest.raises(OSError, match="No space left"):
        run(["1", "(_ for _ in ()).throw(OSError(28, 'No space left'))", "2"])


def test_closing_the_iterator_ends_the_processes() -> None:
    tasks = [f"{OS}.getpid()", *[f"{TIME}.sleep(1000)"] * 4]
    outcomes = run_isolated(eval, tasks, num_workers=1, timeout_seconds=60.0, memory_bytes=3 << 30)
    _, worker = next(outcomes)
    assert isinstance(worker, int)
    assert alive(worker)
    outcomes.close()
    assert not alive(worker)


def test_a_worker_killed_between_two_tasks_is_replaced() -> None:
    tasks = [f"{OS}.getpid()", "2", "3"]
    outcomes = run_isolated(eval, iter(tasks), num_workers=1, timeout_seconds=60.0, memory_bytes=3 << 30)
    _, worker = next(outcomes)
    assert isinstance(worker, int)
    os.kill(worker, signal.SIGKILL)
    rest = dict(outcomes)
    assert rest["3"] == 3
    assert rest["2"] in (2, Lost("its process died (SIGKILL)", "memory"))  # it may have begun already


def test_a_worker_that_never_starts_on_its_task_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_MAX_START_SECONDS", 3.0)
    monkeypatch.setattr(watchdog, "_GRACE_SECONDS", 0.0)

    def tasks() -> Iterator[str]:
        yield "1"
        for process in multiprocessing.active_children():  # it waits for its next task
            os.kill(process.ident, signal.SIGSTOP)
        yield "2"
        yield "3"

    assert run(tasks(), num_workers=1, timeout_seconds=1000.0) == {"1": 1, "2": 2, "3": 3}


class Stuck:
    """A function whose unpickling in the new process hangs."""

    __module__ = "builtins"

    def __call__(self, task: str) -> str:
        return task

    def __reduce__(self) -> tuple:
        return time.sleep, (1000,)


def test_processes_that_never_start_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_MAX_START_SECONDS", 0.2)
    monkeypatch.setattr(watchdog, "_GRACE_SECONDS", 0.0)
    with pytest.raises(OSError, match=r"have not started after 0\.2 seconds"):
        list(run_isolated(Stuck(), ["1"], num_workers=1, timeout_seconds=1000.0, memory_bytes=3 << 30))


def test_processes_that_die_on_start_are_an_error() -> None:
    with pytest.raises(OSError, match="die on start"):
        run(["1"], memory_bytes=4096)


def test_ctrl_c_while_processes_start_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    start = isolated.forkserver.ensure_running

    def start_and_press() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr("multiprocessing.forkserver.ensure_running", start_and_press)
        with pytest.raises(KeyboardInterrupt):
            run(["1"])
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    assert run(["1"]) == {"1": 1}  # the fork server is still alive
