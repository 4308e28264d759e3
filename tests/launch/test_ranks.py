"""Which process of how many, and what becomes of the others when one ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sce_video.errors import UserError
from sce_video.launch.ranks import Place, first_host, place_in, start_ranks

TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
# As srun sets them for the third of four tasks on two nodes (../shared/reference/slurm.md).
SRUN = {
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "gpu[007-008]",
}


@pytest.mark.parametrize("environ", [{}, {"WORLD_SIZE": "1", "RANK": "0"}, {"SLURM_PROCID": "0"}])
def test_one_process_is_nowhere(environ: dict[str, str]) -> None:
    """An allocation without srun, or with one task, too."""
    assert place_in(environ) is None


def test_torchrun() -> None:
    assert place_in(TORCHRUN) == Place(rank=3, local_rank=1, num_ranks=4, address="node1", port=29500)


def test_srun() -> None:
    place = place_in(SRUN)
    assert place is not None
    assert (place.rank, place.local_rank, place.num_ranks, place.address) == (2, 0, 4, "gpu007")
    other_task, other_job = place_in({**SRUN, "SLURM_PROCID": "3"}), place_in({**SRUN, "SLURM_JOB_ID": "78"})
    assert other_task is not None
    assert other_job is not None
    assert place.port == other_task.port
    assert place.port != other_job.port
    assert 1024 < place.port < 65536


def test_torchrun_inside_of_srun_is_torchruns() -> None:
    assert place_in({**SRUN, **TORCHRUN}) == place_in(TORCHRUN)


@pytest.mark.parametrize("missing", ["LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_half_an_environment_is_named(missing: str) -> None:
    with pytest.raises(UserError, match=f"the environment variable {missing} is not set"):
        place_in({name: value for name, value in TORCHRUN.items() if name != missing})
    with pytest.raises(UserError, match="LOCAL_RANK is 'x'; a number was expected"):
        place_in({**TORCHRUN, "LOCAL_RANK": "x"})


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("gpu[007-009]", "gpu007"),
        ("gpu[3,5-6],x1", "gpu3"),
        ("a-b[10-12]", "a-b10"),
        ("127.0.0.11,127.0.0.12", "127.0.0.11"),
        ("rack[1-2]-x", "rack1-x"),
    ],
)
def test_the_first_of_slurms_short_list(nodes: str, first: str) -> None:
    assert first_host(nodes) == first


def program(code: str) -> list[str]:
    return [sys.executable, "-c", f"import os, sys, time\nrank = int(os.environ['RANK'])\n{code}"]


def test_each_process_knows_its_place(tmp_path: Path) -> None:
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


def test_a_process_that_is_killed_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code = "if rank == 1: os.kill(os.getpid(), 9)\ntime.sleep(60)"
    assert start_ranks(program(code), num_processes=2) == 128 + 9
    assert capsys.readouterr().err == "error: rank 1 was ended by signal 9; the others are stopped\n"


def test_a_process_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sce_video.launch.ranks._GRACE_SECONDS", 0.5)
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nif rank == 1: time.sleep(1); sys.exit(5)\n"
    assert start_ranks(program(code + "time.sleep(60)"), num_processes=2) == 5


def test_sigterm_reaches_all(tmp_path: Path) -> None:
    """A whole program, since the signal must come to its main thread."""
    code = (
        "import signal\n"
        f"def note(*_): open(r'{tmp_path}' + f'/ended_{{rank}}', 'w').close(); sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, note)\nopen(r'{tmp_path}' + f'/up_{{rank}}', 'w').close()\ntime.sleep(60)"
    )
    launcher = f"from sce_video.launch.ranks import start_ranks\nstart_ranks({program(code)!r}, num_processes=2)"
    process = subprocess.Popen([sys.executable, "-c", launcher])
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("up_*"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert len(list(tmp_path.glob("ended_*"))) == 2
