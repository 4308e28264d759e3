"""Resources that this process may use: cores, memory, shared memory, GPUs. Read-only.

Containers and Slurm limit a process by control groups (cgroups), which `os.cpu_count()` and `/proc/meminfo` ignore.
`root` is the root of the file system; tests pass a folder of their own.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

_ROOT = Path("/")


@dataclass(frozen=True)
class Cores:
    """Cores by each part of the system; None: it sets no limit.

    `quota` is CPU time per wall time, so 1.5 is possible. `slurm_task` is Slurm's `--cpus-per-task`.
    """

    machine: int
    affinity: int
    quota: float | None
    slurm_task: int | None

    @property
    def usable(self) -> int:
        """Whole cores that this process can keep busy; at least 1."""
        limits = [self.affinity, self.quota, self.slurm_task]
        return max(1, math.floor(min(limit for limit in limits if limit is not None)))


@dataclass(frozen=True)
class Memory:
    """Memory of the machine; `limit_bytes` is the control group's, None if there is none below `total_bytes`."""

    total_bytes: int
    limit_bytes: int | None

    @property
    def usable_bytes(self) -> int:
        return self.limit_bytes or self.total_bytes


@dataclass(frozen=True)
class Space:
    total_bytes: int
    free_bytes: int


def available_cores() -> int:
    """Number of cores that this process may use (affinity, control group, Slurm), not of the machine."""
    return cores().usable


def cores(root: Path = _ROOT, environ: Mapping[str, str] = os.environ) -> Cores:
    machine = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    task = environ.get("SLURM_CPUS_PER_TASK", "")
    return Cores(machine, affinity, _cpu_quota(root), int(task) if task.isdecimal() and int(task) > 0 else None)


def memory(root: Path = _ROOT) -> Memory | None:
    """Memory and its limit; None on other systems than Linux."""
    found = re.search(r"^MemTotal:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if found is None:
        return None
    total = int(found[1]) * 1024
    texts = [
        _text(folder / name) for folder in _cgroups(root, "memory") for name in ("memory.max", "memory.limit_in_bytes")
    ]
    # Without a limit version 2 has "max" and version 1 a number near 2^63.
    limits = [int(text) for text in texts if text.isdecimal() and int(text) < total]
    return Memory(total, min(limits, default=None))


def shared_memory(folder: Path = Path("/dev/shm")) -> Space | None:
    """Space in /dev/shm; None on other systems than Linux."""
    if not folder.is_dir():
        return None
    space = os.statvfs(folder)
    return Space(space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize)


def gpu_names() -> list[str]:
    """Names of the GPUs that torch can use."""
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def gpu_driver(root: Path = _ROOT) -> str | None:
    """Version of NVIDIA's driver, "570.124.06"; None if it is not loaded. torch may still be unable to use it."""
    found = re.search(r"Kernel Module\b.*?\s(\d+(?:\.\d+)+)\s", _text(root / "proc/driver/nvidia/version"))
    return found[1] if found else None


def _cpu_quota(root: Path) -> float | None:
    """The smallest quota of this process's control group and its ancestors, in cores."""
    quotas = []
    for folder in _cgroups(root, "cpu"):
        version_1 = f"{_text(folder / 'cpu.cfs_quota_us')} {_text(folder / 'cpu.cfs_period_us')}"
        for text in (_text(folder / "cpu.max"), version_1):
            found = re.fullmatch(r"([1-9]\d*) ([1-9]\d*)", text)  # without a limit: "max 100000" and "-1 100000"
            if found:
                quotas.append(int(found[1]) / int(found[2]))
    return min(quotas, default=None)


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control group for a controller, then of its ancestors.

    Inside a container the path may be the one outside; then only the top folder exists, which is the container's.
    """
    top = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, names, path = line.split(":", 2)
        if number == "0":
            mounts = [top]  # version 2: one tree for all
        elif controller in names.split(","):
            mounts = [top / names, top / controller]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for mount in mounts:
            yield from (mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))


def _text(file: Path) -> str:
    """Stripped content; "" for a file that cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def resident_bytes() -> int:
    """Resident memory of this process without what it shares; 0 where the system does not report it."""
    try:
        total, shared = (int(pages) for pages in Path("/proc/self/statm").read_text().split()[1:3])
    except OSError:
        return 0
    return (total - shared) * os.sysconf("SC_PAGE_SIZE")
