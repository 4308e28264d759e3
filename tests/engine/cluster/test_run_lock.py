"""Which process may write to a folder, with real processes that live, die and seem dead."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from sce_video.engine.cluster import run_lock
from sce_video.engine.cluster.run_lock import (
    LOCK_FILE,
    InUseError,
    LockOwner,
    hold_run_lock,
    require_run_lock,
    share_run_lock,
)
from sce_video.runtime import files
from sce_video.runtime.files import atomic_path, write_text

HOLD = """
import sys, time
from pathlib import Path
from sce_video.engine.cluster.run_lock import hold_run_lock
with hold_run_lock(Path(sys.argv[1]), job=sys.argv[2], restart=int(sys.argv[3])):
    print("has it", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holders() -> Iterator[list["subprocess.Popen[str]"]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def hold(folder: Path, holders: list["subprocess.Popen[str]"], *, job: str = "", restart: int = 0) -> int:
    """Lock the folder in another process; returns its pid."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), job, str(restart)], stdout=subprocess.PIPE, text=True
    )
    holders.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "has it\n"
    return process.pid


def wait_until(holds: Callable[[], bool]) -> None:
    """Return as soon as `holds()`; only a broken program reaches the time limit."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def leave_lock_of(folder: Path, **changes: object) -> LockOwner:
    """Write the lock of a process on another machine."""
    facts = {"token": "ab12", "host": "far", "pid": 7, "started": "99", "machine": "other", "job": "", "restart": 0}
    owner = LockOwner(**{**facts, **changes})  # type: ignore[arg-type]
    (folder / LOCK_FILE).write_text(json.dumps(asdict(owner)))
    return owner


def test_a_released_lock_can_be_acquired_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for _ in range(2):
        with hold_run_lock(folder):
            assert [path.name for path in folder.iterdir()] == [LOCK_FILE]
            write_text(folder / "a.txt", "text")
            assert sorted(path.name for path in folder.iterdir()) == [LOCK_FILE, "a.txt"]
        assert [path.name for path in folder.iterdir()] == ["a.txt"]
        (folder / "a.txt").unlink()


def test_a_start_that_wrote_nothing_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "mine", tmp_path / "a" / "b" / "c"):
        with hold_run_lock(folder):
            assert [path.name for path in folder.iterdir()] == [LOCK_FILE]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("kind", ["folder", "link to a file", "link to nothing", "pipe"])
def test_a_lock_that_is_not_a_regular_file_is_an_error(tmp_path: Path, kind: str) -> None:
    """Without waiting, and it is left unchanged."""
    file, elsewhere = tmp_path / LOCK_FILE, tmp_path / "elsewhere"
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(elsewhere)
    if kind == "link to a file":
        elsewhere.write_text("mine")
    before = file.lstat()
    with (
        pytest.raises(InUseError, match=r"\.owner\.json, which .* cannot be read .* remove it"),
        hold_run_lock(tmp_path),
    ):
        pass
    assert file.lstat() == before
    assert not elsewhere.exists() or elsewhere.read_text() == "mine"


STRANGE = [
    {"token": "*"},
    {"token": ""},
    {"token": "../ab12"},
    {"token": 7},
    {"pid": "7"},
    {"pid": 10**30},
    {"restart": None},
    {"host": "far\nthere"},
    {"host": "x" * 5000},
]


@pytest.mark.parametrize("strange", STRANGE, ids=str)
def test_an_invalid_owner_is_taken_over_and_no_file_deleted(
    tmp_path: Path, strange: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_TIMEOUT_SECONDS", 0.6)
    facts = {"token": "ab12", "host": "far", "pid": 7, "started": "99", "machine": "other", "job": "", "restart": 0}
    (tmp_path / LOCK_FILE).write_text(json.dumps({**facts, **strange}))
    others = [tmp_path / name for name in (".a.other.partial", ".a.partial", ".a..partial", ".a.ab12.partial")]
    for path in others:
        path.touch()
    with hold_run_lock(tmp_path):
        assert all(path.exists() for path in others)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether an owner is alive must be known without waiting for a heartbeat."""
    monkeypatch.setattr(run_lock, "_is_silent", lambda *_: pytest.fail("waits for a heartbeat"))


@pytest.mark.usefixtures("no_waiting")
def test_a_live_owner_is_named_at_once(tmp_path: Path, holders: list["subprocess.Popen[str]"]) -> None:
    number = hold(tmp_path, holders)
    with (
        pytest.raises(InUseError, match=rf"is in use by process {number} on .*; wait for it to end"),
        hold_run_lock(tmp_path),
    ):
        pass
    assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == number


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("is_waited_for", [True, False])
def test_a_dead_owner_is_taken_over_at_once(
    tmp_path: Path, holders: list["subprocess.Popen[str]"], is_waited_for: bool
) -> None:
    """Even a zombie, which its parent has not waited for."""
    number = hold(tmp_path, holders)
    holders[0].kill()
    if is_waited_for:
        holders[0].wait()
    else:
        wait_until(lambda: ") Z " in Path(f"/proc/{number}/stat").read_text())
    with hold_run_lock(tmp_path):
        pass


def test_a_reused_pid_is_another_process(tmp_path: Path, holders: list["subprocess.Popen[str]"]) -> None:
    with hold_run_lock(tmp_path):
        facts = json.loads((tmp_path / LOCK_FILE).read_text())
    number = hold(tmp_path / "elsewhere", holders)  # started at another time
    leave_lock_of(tmp_path, **{**facts, "pid": number})
    with hold_run_lock(tmp_path):
        pass


def test_a_heartbeat_from_another_machine_keeps_the_lock(tmp_path: Path) -> None:
    leave_lock_of(tmp_path)
    is_over = threading.Event()

    def live() -> None:
        while not is_over.wait(0.5):
            os.utime(tmp_path / LOCK_FILE)

    owner = threading.Thread(target=live)
    owner.start()
    try:
        with pytest.raises(InUseError, match="is in use by process 7 on far"), hold_run_lock(tmp_path):
            pass
    finally:
        is_over.set()
        owner.join()


def test_no_heartbeat_from_another_machine_loses_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "_TIMEOUT_SECONDS", 1.5)
    before = leave_lock_of(tmp_path)
    (tmp_path / "deep").mkdir()
    left = [tmp_path / f".a.{before.token}.partial", tmp_path / "deep" / f".b.{before.token}.partial"]
    others = [tmp_path / ".a.other.partial", tmp_path / ".a.partial"]
    for path in left + others:
        path.touch()
    with hold_run_lock(tmp_path):
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in others)


def test_an_owner_that_releases_while_its_heartbeat_is_awaited(tmp_path: Path) -> None:
    leave_lock_of(tmp_path)
    threading.Timer(1.0, (tmp_path / LOCK_FILE).unlink).start()
    with hold_run_lock(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"token": "x"'])
def test_a_damaged_lock_is_treated_as_one_of_another_machine(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_TIMEOUT_SECONDS", 0.6)
    (tmp_path / LOCK_FILE).write_text(content)
    with hold_run_lock(tmp_path):
        require_run_lock()


def test_the_owner_sends_heartbeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "_HEARTBEAT_SECONDS", 0.1)
    with hold_run_lock(tmp_path):
        before = (tmp_path / LOCK_FILE).stat().st_mtime_ns
        wait_until(lambda: (tmp_path / LOCK_FILE).stat().st_mtime_ns > before)


def test_a_later_start_of_a_job_locks_the_earlier_one_out(
    tmp_path: Path, holders: list["subprocess.Popen[str]"]
) -> None:
    path = tmp_path / "step.pt"
    with hold_run_lock(tmp_path, job="7", restart=1):
        write_text(path, "of the first")
        hold(tmp_path, holders, job="7", restart=2)
        with pytest.raises(InUseError, match="was taken over by process .* of job 7"):
            write_text(path, "of the first, late")
        with pytest.raises(InUseError, match="this process no longer writes there"):
            require_run_lock()
    assert path.read_text() == "of the first"
    assert (tmp_path / LOCK_FILE).is_file()  # the second one's: the first has not released it
    with pytest.raises(InUseError, match="by a later start of job 7"), hold_run_lock(tmp_path, job="7", restart=1):
        pass


def test_another_job_does_not_take_over(tmp_path: Path, holders: list["subprocess.Popen[str]"]) -> None:
    number = hold(tmp_path, holders, job="7", restart=0)
    with (
        pytest.raises(InUseError, match=f"in use by process {number} of job 7"),
        hold_run_lock(tmp_path, job="8", restart=3),
    ):
        pass


def test_a_takeover_between_the_check_and_the_rename(
    tmp_path: Path, holders: list["subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be frozen anywhere."""
    path = tmp_path / "step.pt"
    check = files.require_run_lock

    def check_and_freeze() -> None:
        check()
        if not holders:
            hold(tmp_path, holders, job="7", restart=1)

    monkeypatch.setattr(files, "require_run_lock", check_and_freeze)
    with hold_run_lock(tmp_path, job="7"), pytest.raises(InUseError, match="taken over"), atomic_path(path) as partial:
        partial.write_text("late")
    assert not path.exists()


def test_each_owner_has_its_own_names_of_unfinished_files(tmp_path: Path) -> None:
    names = []
    for restart in (0, 1):
        with hold_run_lock(tmp_path, job="7", restart=restart), atomic_path(tmp_path / "step.pt") as partial:
            partial.touch()
            names.append(partial.name)
    assert len(set(names)) == 2


def test_without_a_lock_nothing_is_checked(tmp_path: Path) -> None:
    leave_lock_of(tmp_path)
    require_run_lock()
    write_text(tmp_path / "a.txt", "text")


def test_the_other_ranks_of_a_run_lose_the_lock_with_rank_0(tmp_path: Path) -> None:
    owner = leave_lock_of(tmp_path, job="7", restart=0)
    features = tmp_path / "features" / "part_1.npz"
    with share_run_lock(owner, tmp_path):
        write_text(features, "old")
        leave_lock_of(tmp_path, job="7", restart=1, token="cd34", pid=8)
        with pytest.raises(InUseError, match="taken over by process 8"):
            write_text(features, "of one that seemed dead")
    assert features.read_text() == "old"
    require_run_lock()
