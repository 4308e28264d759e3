"""Which process this is and what the others have; everything works in one process without torch.distributed."""

import os
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sce_video.errors import UserError

Value = TypeVar("Value")

# Where the default group is NCCL's: for what does not lie on a GPU, and must not wait for it.
_control: Any = None
# A rank may wait for others that evaluate more, or read from a slower disk; the failure detector tells of dead ones.
_TIMEOUT = timedelta(hours=6)
# Until all have started: hundreds of processes import torch from one disk.
_RENDEZVOUS_TIMEOUT = timedelta(minutes=10)


def rendezvous(*, rank: int, num_ranks: int, address: str, port: int) -> "dist.Store":
    """The key-value store of all ranks of the run, once all have come.

    Raises:
        UserError: not all come within ten minutes, or there is no way to the address.
    """
    host = f"[{address}]" if ":" in address else address  # IPv6
    try:
        connections = dist.rendezvous(f"tcp://{host}:{port}", rank, num_ranks, timeout=_RENDEZVOUS_TIMEOUT)
        store, _, _ = next(iter(connections))
    except (dist.DistError, TimeoutError) as error:
        raise UserError(
            f"rank {rank} does not find all {num_ranks} ranks at {host}:{port} ({' '.join(str(error).split())[:200]}); "
            f"if one of them has not started, its own log says why"
        ) from error
    return store


def connect(store: "dist.Store", *, rank: int, num_ranks: int, on_gpu: bool) -> None:
    """Make the default process group: NCCL between GPUs, gloo between processors."""
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
    """Ranks that share this machine's cores, as far as whoever started them says."""
    names = ("LOCAL_WORLD_SIZE", "SUBMITIT_LOCAL_NTASKS")
    return int(next((os.environ[name] for name in names if name in os.environ), "1")) if is_distributed() else 1


def is_main_process() -> bool:
    """True on the one process that writes logs, checkpoints and results."""
    return rank() == 0


def wait_for_all() -> None:
    """Return when every rank has come here."""
    if is_distributed():
        dist.barrier(group=_control)


def all_gathered(value: Value) -> list[Value]:
    """The value of every rank, in their order; pickled on the way, so for megabytes, not for gradients."""
    if not is_distributed():
        return [value]
    values: list[Value | None] = [None] * num_ranks()
    dist.all_gather_object(values, value, group=_control)
    return values  # type: ignore[return-value]  # all are filled by now


def gathered_rows(rows: Tensor) -> Tensor:
    """The rows of all ranks, in their order, without gradient: (n, ...) on each -> (num_ranks * n, ...)."""
    if num_ranks() == 1:
        return rows.detach()
    gathered = rows.new_empty(num_ranks() * len(rows), *rows.shape[1:])
    gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor  # the name until torch 2.13
    gather(gathered, rows.detach().contiguous())
    return gathered


class _GatheredRows(torch.autograd.Function):
    """What each rank's loss wants of a row is summed on the rank that has it."""

    @staticmethod
    def forward(_: Any, rows: Tensor) -> Tensor:
        return gathered_rows(rows)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.unflatten(0, (num_ranks(), -1))[rank()]


def gathered_rows_with_gradient(rows: Tensor) -> Tensor:
    """As `gathered_rows`; a loss on any rank sends its gradient to the rank that a row is from."""
    if num_ranks() == 1:
        return rows
    gathered: Tensor = _GatheredRows.apply(rows)
    return gathered


def mean_over_ranks(values: Tensor) -> Tensor:
    """The mean of what the ranks have, of the same shape; it is not finite where one of them is not."""
    if num_ranks() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / num_ranks()


def largest_of_ranks(value: int) -> int:
    """The largest of the ranks' numbers; does not wait for GPUs."""
    if num_ranks() == 1:
        return value
    largest = torch.tensor(value)
    dist.all_reduce(largest, dist.ReduceOp.MAX, group=_control)
    return int(largest)


def broadcast_buffers(module: nn.Module) -> None:
    """Give every rank the main process's buffers: where batch norm is not synchronised, running statistics differ."""
    if num_ranks() > 1:
        for buffer in module.buffers():
            if buffer.numel():
                dist.broadcast(buffer, 0)


def on_all_ranks(holds: bool, *, device: torch.device) -> bool:
    """Whether something holds on every rank."""
    return bool(mean_over_ranks(torch.tensor(float(holds), device=device)) == 1)
