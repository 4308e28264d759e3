"""Machines described by files: real contents of /proc and /sys of containers and jobs."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from sce_video.engine.machine import (
    Cores,
    Memory,
    available_cores,
    cores,
    gpu_driver,
    gpu_names,
    memory,
    shared_memory,
)

GIB = 2**30
NO_LIMIT_V1 = "9223372036854771712\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def version_1(root: Path, *, quota: str, period: str = "100000\n", limit: str = NO_LIMIT_V1) -> Path:
    """As Docker with version 1: the path is the host's, the mounted folder is the container's own."""
    groups = "5:cpu,cpuacct:/docker/0123\n3:memory:/docker/0123\n2:cpuset:/\n1:name=systemd:/\n"
    files = {
        "proc/self/cgroup": groups,
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": quota,
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": period,
        "sys/fs/cgroup/memory/memory.limit_in_bytes": limit,
    }
    return write(root, files)


def version_2(root: Path, files: dict[str, str]) -> Path:
    """A Slurm step: limits may be on it or on any group above it."""
    write(root, {"proc/self/cgroup": "0::/slurm/job_7/step_0\n"})
    return write(root, {f"sys/fs/cgroup/{name}": content for name, content in files.items()})


def quota_of(root: Path) -> float | None:
    return cores(root, {}).quota


def test_quota_of_a_version_2_group(tmp_path: Path) -> None:
    root = version_2(tmp_path, {"slurm/job_7/step_0/cpu.max": "150000 100000\n"})
    assert quota_of(root) == 1.5


def test_the_smallest_quota_of_the_ancestors_counts(tmp_path: Path) -> None:
    files = {
        "slurm/job_7/step_0/cpu.max": "max 100000\n",
        "slurm/job_7/cpu.max": "250000 50000\n",
        "slurm/cpu.max": "800000 100000\n",
    }
    assert quota_of(version_2(tmp_path, files)) == 5.0


def test_a_container_sees_its_group_as_the_root(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/../../outside\n"})
    assert quota_of(write(tmp_path, {"sys/fs/cgroup/cpu.max": "300000 100000\n"})) == 3.0


def test_quota_of_a_version_1_group(tmp_path: Path) -> None:
    assert quota_of(version_1(tmp_path, quota="200000\n", period="50000\n")) == 4.0


def test_version_1_may_name_its_controllers_in_another_order(tmp_path: Path) -> None:
    """As CentOS 7 does: cpuacct,cpu in /proc; folders cpu,cpuacct and, a link to it, cpu."""
    files = {"cpu.cfs_quota_us": "300000\n", "cpu.cfs_period_us": "100000\n"}
    write(tmp_path, {"proc/self/cgroup": "4:cpuacct,cpu:/\n"})
    assert quota_of(write(tmp_path, {f"sys/fs/cgroup/cpu/{name}": text for name, text in files.items()})) == 3.0


@pytest.mark.parametrize("quota", ["-1\n", "", "0\n"])
def test_no_quota_of_version_1(tmp_path: Path, quota: str) -> None:
    assert quota_of(version_1(tmp_path, quota=quota)) is None


def test_no_quota_of_version_2(tmp_path: Path) -> None:
    assert quota_of(version_2(tmp_path, {"slurm/job_7/step_0/cpu.max": "max 100000\n"})) is None


def test_a_system_without_these_files(tmp_path: Path) -> None:
    assert quota_of(tmp_path) is None
    assert memory(tmp_path) is None
    assert gpu_driver(tmp_path) is None
    assert shared_memory(tmp_path / "dev/shm") is None


@pytest.mark.parametrize(
    ("affinity", "quota", "slurm_task", "usable"),
    [
        (64, None, None, 64),
        (64, 1.5, None, 1),
        (64, 0.5, None, 1),
        (64, None, 8, 8),
        (1, None, 8, 1),  # srun that did not inherit --cpus-per-task
        (16, 12.0, 8, 8),
        (16, 4.0, 8, 4),
    ],
)
def test_usable_cores(affinity: int, quota: float | None, slurm_task: int | None, usable: int) -> None:
    assert Cores(machine=64, affinity=affinity, quota=quota, slurm_task=slurm_task).usable == usable


@pytest.mark.parametrize(("text", "expected"), [("8", 8), ("", None), ("0", None), ("eight", None)])
def test_cores_of_the_slurm_task(tmp_path: Path, text: str, expected: int | None) -> None:
    assert cores(tmp_path, {"SLURM_CPUS_PER_TASK": text}).slurm_task == expected
    assert cores(tmp_path, {}).slurm_task is None


def test_available_cores_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    allowed = os.sched_getaffinity(0)
    assert 1 <= available_cores() <= len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cores().affinity == 1
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_available_cores_respect_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert available_cores() == 1


MEMINFO = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\n"


def test_memory_limit_of_version_2(tmp_path: Path) -> None:
    write(tmp_path, {"proc/meminfo": MEMINFO})
    files = {"slurm/job_7/step_0/memory.max": "max\n", "slurm/job_7/memory.max": f"{4 * GIB}\n"}
    found = memory(version_2(tmp_path, files))
    assert found == Memory(total_bytes=16 * GIB, limit_bytes=4 * GIB)
    assert found.usable_bytes == 4 * GIB


@pytest.mark.parametrize(("limit", "expected"), [(f"{2 * GIB}\n", 2 * GIB), (NO_LIMIT_V1, None)])
def test_memory_limit_of_version_1(tmp_path: Path, limit: str, expected: int | None) -> None:
    write(tmp_path, {"proc/meminfo": MEMINFO})
    found = memory(version_1(tmp_path, quota="-1\n", limit=limit))
    assert found == Memory(16 * GIB, expected)
    assert found.usable_bytes == (expected or 16 * GIB)


def test_memory_of_this_machine() -> None:
    found = memory()
    assert found is not None
    assert found.total_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_shared_memory_is_the_space_of_its_folder(tmp_path: Path) -> None:
    space = shared_memory(tmp_path)
    assert space is not None
    usage = shutil.disk_usage(tmp_path)
    assert space.total_bytes == usage.total
    assert abs(space.free_bytes - usage.free) < GIB  # others write to it


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024", "550.54.15"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (root@b)", "570.124.06"),
    ],
)
def test_driver(tmp_path: Path, line: str, version: str) -> None:
    text = f"{line}\nGCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
    assert gpu_driver(write(tmp_path, {"proc/driver/nvidia/version": text})) == version


def test_gpus_are_those_of_torch() -> None:
    assert len(gpu_names()) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
