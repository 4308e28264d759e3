"""Rank of this process, and collectives; everything works in one process without torch.distributed."""

import os
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sce_video.errors import UserError

Value = TypeVar("Value")

# A gloo group for CPU values where the default group is NCCL's, so as not to wait for the GPU.
_control: Any = None
# A rank may wait for others that evaluate more or read from a slower disk; the failure detector reports dead ones.
_TIMEOUT = timedelta(hours=6)
# Hundreds of processes import torch from one disk.
_RENDEZVOUS_TIMEOUT = timedelta(minutes=10)


def rendezvous(*, rank: int, num_ranks: int, address: str, port: int) -> "dist.Store":
    """Wait for all ranks of the run; returns their key-value store.

    Raises:
        UserError: not all arrive within ten minutes, or the address cannot be reached.
    """
    host = f"[{address}]" if ":" in address else address  # IPv6
    try:
        connections = dist.rendezvous(f"tcp://{host}:{port}", rank, num_ranks, timeout=_RENDEZVOUS_TIMEOUT)
        store, _, _ = next(iter(connections))
    except (dist.DistError, TimeoutError) as error:
        raise UserError(
            f"rank {rank} did not find all {num_ranks} ranks at {host}:{port} ({' '.join(str(error).split())[:200]}); "
            f"if a rank has not started, see its log"
        ) from error
    return store


def connect(store: "dist.Store", *, rank: int, num_ranks: int, on_gpu: bool) -> None:
    """Create the default process group: NCCL on GPUs, gloo on CPUs."""
    global _control
    group: dict[str, Any] = {"store": store, "rank": rank, "world_size": num_ranks, "timeout": _TIMEOUT}
    if on_gpu:
        device = torch.device("cuda", torch.cuda.current_device())
        dist.init_process_group("nccl", device_id=device, **group)
        _control = dist.new_group(backend="gloo", timeout=_TIMEOUT)
    else:
        dist.init_process_group("gloo", **group)


def disconnect() -> None:
    global _control
    _control = None
    dist.destroy_process_group()


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def num_ranks() -> int:
    return dist.get_world_size() if is_distributed() else 1


def num_local_ranks() -> int:
    """Number of ranks that share this machine's cores, from the launcher's environment; 1 if it is not set there."""
    names = ("LOCAL_WORLD_SIZE", "SUBMITIT_LOCAL_NTASKS")
    return int(next((os.environ[name] for name in names if name in os.environ), "1")) if is_distributed() else 1


def is_main_process() -> bool:
    """True on the one process that writes logs, checkpoints and results."""
    return rank() == 0


def wait_for_all() -> None:
    """Return when every rank has called this."""
    if is_distributed():
        dist.barrier(group=_control)


def all_gathered(value: Value) -> list[Value]:
    """Values of all ranks, in rank order; pickled, so for megabytes at most, not for gradients."""
    if not is_distributed():
        return [value]
    values: list[Value | None] = [None] * num_ranks()
    dist.all_gather_object(values, value, group=_control)
    return values  # type: ignore[return-value]  # all are filled by now


def gathered_rows(rows: Tensor) -> Tensor:
    """Rows of all ranks, in rank order, without gradient: (n, ...) on each -> (num_ranks * n, ...)."""
    if num_ranks() == 1:
        return rows.detach()
    gathered = rows.new_empty(num_ranks() * len(rows), *rows.shape[1:])
    gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor  # the name until torch 2.13
    gather(gathered, rows.detach().contiguous())
    return gathered


class _GatheredRows(torch.autograd.Function):
    """Gather whose backward sums the gradients of all ranks on the rank that owns the row."""

    @staticmethod
    def forward(_: Any, rows: Tensor) -> Tensor:
        return gathered_rows(rows)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.unflatten(0, (num_ranks(), -1))[rank()]


def gathered_rows_with_gradient(rows: Tensor) -> Tensor:
    """As `gathered_rows`, but the loss of every rank has a gradient on the rank that owns a row."""
    if num_ranks() == 1:
        return rows
    gathered: Tensor = _GatheredRows.apply(rows)
    return gathered


def mean_over_ranks(values: Tensor) -> Tensor:
    """Elementwise mean over the ranks; not finite where one rank's value is not."""
    if num_ranks() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / num_ranks()


def largest_of_ranks(value: int) -> int:
    """Maximum over the ranks; does not wait for GPUs."""
    if num_ranks() == 1:
        return value
    largest = torch.tensor(value)
    dist.all_reduce(largest, dist.ReduceOp.MAX, group=_control)
    return int(largest)


def broadcast_buffers(module: nn.Module) -> None:
    """Copy the main process's buffers to every rank: without synchronised batch norm running statistics differ."""
    if num_ranks() > 1:
        for buffer in module.buffers():
            if buffer.numel():
                dist.broadcast(buffer, 0)


def on_all_ranks(holds: bool, *, device: torch.device) -> bool:
    """Whether `holds` is true on every rank."""
    return bool(mean_over_ranks(torch.tensor(float(holds), device=device)) == 1)
