"""Ranks of one machine, and what happens to the others when one ends."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sce_video.engine.cluster.local_ranks import start_ranks
from sce_video.errors import PEER_LOST_EXIT_CODE


def program(code: str) -> list[str]:
    return [sys.executable, "-c", f"import os, sys, time\nrank = int(os.environ['RANK'])\n{code}"]


def test_each_process_gets_its_rank(tmp_path: Path) -> None:
    names = "('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'LOCAL_WORLD_SIZE', 'MASTER_ADDR')"
    write = f"open(r'{tmp_path}' + f'/{{rank}}', 'w').write(' '.join(os.environ[name] for name in {names}))"
    assert start_ranks(program(write), num_processes=3) == 0
    assert [(tmp_path / str(i)).read_text() for i in range(3)] == [f"{i} {i} 3 3 127.0.0.1" for i in range(3)]


def test_the_first_failure_ends_all_at_once(tmp_path: Path) -> None:
    code = f"open(r'{tmp_path}' + f'/{{rank}}', 'w').write(str(os.getpid()))\nif rank == 1: sys.exit(2)\ntime.sleep(60)"
    before = time.monotonic()
    assert start_ranks(program(code), num_processes=3) == 2
    assert time.monotonic() - before < 30
    for file in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_is_named(rank: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the terminal and in the run's log, which rank 0 can no longer write."""
    log = tmp_path / "run.log"
    log.write_text("begun\n")
    code = f"if rank == {rank}: os.kill(os.getpid(), 9)\ntime.sleep(60)"
    assert start_ranks(program(code), num_processes=2, log=log) == 128 + 9
    line = f"error: rank {rank} was ended by signal 9; the others are stopped\n"
    assert capsys.readouterr().err == line
    assert log.read_text().startswith("begun\n")
    assert log.read_text().endswith(f",000 ERROR {line}")


def test_a_process_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sce_video.engine.cluster.local_ranks._GRACE_SECONDS", 0.5)
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nif rank == 1: time.sleep(1); sys.exit(5)\n"
    assert start_ranks(program(code + "time.sleep(60)"), num_processes=2) == 5


def test_sigterm_reaches_all(tmp_path: Path) -> None:
    """In a process of its own, as signals are handled in the main thread."""
    code = (
        "import signal\n"
        f"def note(*_): open(r'{tmp_path}' + f'/ended_{{rank}}', 'w').close(); sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, note)\nopen(r'{tmp_path}' + f'/up_{{rank}}', 'w').close()\ntime.sleep(60)"
    )
    launcher = os.fork()  # which does not import again
    if launcher == 0:
        os._exit(start_ranks(program(code), num_processes=2))
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("up_*"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(launcher, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1]) == 0
    assert len(list(tmp_path.glob("ended_*"))) == 2


def test_the_exit_code_is_that_of_the_failed_rank_not_of_those_that_lost_it() -> None:
    """It may exit after them."""
    code = f"if rank == 0: sys.exit({PEER_LOST_EXIT_CODE})\ntime.sleep(1.5)\nsys.exit(2)"
    assert start_ranks(program(code), num_processes=2) == 2
