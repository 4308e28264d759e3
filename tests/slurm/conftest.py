"""A real Slurm cluster of three virtual nodes on this machine, from Debian's packages (see slurm_local.sh)."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

LOCK = Path(tempfile.gettempdir()) / "sce_video_tests_slurm.lock"
SLURM_LOCAL = Path(__file__).with_name("slurm_local.sh")


def slurm_local(*arguments: str) -> str:
    env = {**os.environ, "SLURM_LOCAL_NODES": "3"}
    done = subprocess.run(["bash", str(SLURM_LOCAL), *arguments], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def cluster() -> Iterator[dict[str, str]]:
    """Environment to submit from; skips without Slurm's programs, or fails if they are required (CI)."""
    if shutil.which("slurmctld") is None:
        if os.environ.get("SCE_REQUIRE_SLURM") == "1":
            pytest.fail(f"SCE_REQUIRE_SLURM=1, but Slurm is not installed; bash {SLURM_LOCAL} install")
        pytest.skip(f"Slurm is not installed; bash {SLURM_LOCAL} install")
    lock = LOCK.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pytest.fail("another process runs tests on this machine's Slurm; pytest-xdist needs --dist loadgroup")
    slurm_local("stop")  # left by a killed test run
    slurm_local("start")
    try:
        printed = subprocess.run(
            ["bash", "-c", f'eval "$(bash {SLURM_LOCAL} env)"; env -0'], capture_output=True, text=True, check=True
        )
        environ = dict(entry.split("=", 1) for entry in printed.stdout.split("\0") if "=" in entry)
        yield {**environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    finally:
        slurm_local("stop")
        lock.close()
