"""Findings on cores, shared memory, memory, open files and threads against the needs of a config's loader."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sce_video.engine.doctor.amounts import in_bytes, in_cores
from sce_video.engine.doctor.finding import Finding
from sce_video.engine.machine import Cores, Memory, Space

_FEW_CORES = 4
# Open files of the main process per loader process: its socket and its sentinel. Each batch is one file as well.
_FILES_PER_WORKER = 4
_FILES_ALREADY = 128  # libraries, logs, TensorBoard


@dataclass(frozen=True)
class LoaderNeeds:
    """Memory files of a config's loader: batches (parts of a step's batch) of uint8 clips.

    `batches_in_hand` are those that the main process holds.
    """

    num_workers: int
    prefetch_batches: int
    batches_in_hand: int
    batch_bytes: int

    @property
    def num_batches(self) -> int:
        return self.num_workers * self.prefetch_batches + self.batches_in_hand if self.num_workers else 0

    @property
    def total_bytes(self) -> int:
        return self.num_batches * self.batch_bytes


def usable_cores(cores: Cores, needs: LoaderNeeds) -> list[Finding]:
    limits = [f"{in_cores(cores.machine)} in the machine", f"{cores.affinity} by affinity"]
    limits.append(f"{cores.quota:g} by the control group's quota" if cores.quota else "no quota of a control group")
    limits.append(f"{cores.slurm_task} by SLURM_CPUS_PER_TASK" if cores.slurm_task else "SLURM_CPUS_PER_TASK not set")
    fact = f"{cores.usable} usable: {', '.join(limits)}"
    if needs.num_workers > cores.usable:
        return [
            Finding(
                "note",
                "cores",
                f"{fact}; DATA.NUM_WORKERS is {needs.num_workers}",
                f"DATA.NUM_WORKERS -1 (that is {cores.usable} here), or request {needs.num_workers} cores",
            )
        ]
    return [Finding("ok", "cores", fact)]


def busy_cores(load: float, cores: Cores) -> list[Finding]:
    """`load`: mean number of running processes of the whole machine over the last minute."""
    fact = f"load average {load:.1f} on {in_cores(cores.machine)}"
    if load <= cores.machine / 2:
        return [Finding("ok", "load", fact)]
    return [Finding("note", "load", f"{fact}: speeds measured here are too low", "measure again on an idle machine")]


def batches_in_shared_memory(needs: LoaderNeeds, space: Space | None, *, is_used: bool) -> list[Finding]:
    """
    Args:
        space: of /dev/shm, None where there is none.
        is_used: whether the loader uses it, as it does only on a Python without `os.memfd_create`.
    """
    if space is None:
        return [Finding("ok", "/dev/shm", "this system has none")]
    fact = f"{in_bytes(space.free_bytes)} free of {in_bytes(space.total_bytes)}"
    if not is_used or not needs.num_workers:
        return [Finding("ok", "/dev/shm", f"{fact}; not used: batches are passed in anonymous files, see memory")]
    fact += f"; {_loader_memory(needs)}"
    if needs.total_bytes <= space.free_bytes:
        return [Finding("ok", "/dev/shm", fact)]
    fitting = (space.free_bytes // needs.batch_bytes - needs.batches_in_hand) // needs.prefetch_batches
    fewer = f"DATA.NUM_WORKERS {fitting}" if fitting >= 1 else "a larger TRAIN.ACCUMULATION_STEPS"
    gibibytes = math.ceil(1.25 * needs.total_bytes / 2**30)
    return [Finding("problem", "/dev/shm", fact, f"docker run --shm-size={gibibytes}g (or --ipc=host); or {fewer}")]


def batches_in_memory(needs: LoaderNeeds, memory: Memory | None) -> list[Finding]:
    """Batches may use half of the memory; the rest is for processes and the page cache."""
    if memory is None:
        return []
    limit = f"limit of the control group {in_bytes(memory.limit_bytes)}" if memory.limit_bytes else "no lower limit"
    fact = f"{in_bytes(memory.total_bytes)} in the machine, {limit}; {_loader_memory(needs)}"
    if 2 * needs.total_bytes > memory.usable_bytes:
        fix = "set fewer DATA.NUM_WORKERS or DATA.PREFETCH_BATCHES 1, or give the job more memory (--mem)"
        return [Finding("problem", "memory", fact, fix)]
    return [Finding("ok", "memory", fact)]


def _loader_memory(needs: LoaderNeeds) -> str:
    if not needs.num_workers:
        return "DATA.NUM_WORKERS is 0: no batches ahead"
    return (
        f"the loader holds up to {in_bytes(needs.total_bytes)}: {needs.num_workers} workers x "
        f"{needs.prefetch_batches} batches ahead + {needs.batches_in_hand} in hand, {in_bytes(needs.batch_bytes)} each"
    )


def open_files(needs: LoaderNeeds, limit: int) -> list[Finding]:
    """`limit`: number of files that this process may have open at once (`ulimit -n`)."""
    needed = _FILES_ALREADY + needs.num_workers * _FILES_PER_WORKER + needs.num_batches
    fact = f"{limit} allowed (ulimit -n), about {needed} needed with {needs.num_workers} workers"
    if needed > limit:
        return [Finding("problem", "open files", fact, f"ulimit -n {2 ** math.ceil(math.log2(2 * needed))}")]
    return [Finding("ok", "open files", fact)]


def threads(cores: Cores, environ: Mapping[str, str], num_threads: int) -> list[Finding]:
    """`num_threads`: of torch in this process."""
    policy, count = environ.get("OMP_WAIT_POLICY", "not set"), environ.get("OMP_NUM_THREADS", "not set")
    fact = f"torch uses {num_threads}; OMP_NUM_THREADS {count}, OMP_WAIT_POLICY {policy}"
    if num_threads > cores.usable:
        fix = f"export OMP_NUM_THREADS={cores.usable}"
        return [Finding("problem", "threads", f"{fact}; only {in_cores(cores.usable)} usable", fix)]
    if cores.usable <= _FEW_CORES and policy.lower() != "passive" and num_threads > 1:
        return [
            Finding(
                "note",
                "threads",
                f"{fact}; on few cores, threads that spin while waiting slow each other down tenfold",
                "export OMP_WAIT_POLICY=passive",
            )
        ]
    return [Finding("ok", "threads", fact)]
