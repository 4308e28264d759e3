"""Which process this is and what the others have; everything works in one process without torch.distributed."""

from typing import TypeVar

import torch.distributed as dist

Value = TypeVar("Value")


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def num_ranks() -> int:
    return dist.get_world_size() if is_distributed() else 1


def is_main_process() -> bool:
    """True on the one process that writes logs, checkpoints and results."""
    return rank() == 0


def wait_for_all() -> None:
    """Return when every rank has come here."""
    if is_distributed():
        dist.barrier()


def all_gathered(value: Value) -> list[Value]:
    """The value of every rank, in their order; pickled on the way, so for megabytes, not for gradients."""
    if not is_distributed():
        return [value]
    values: list[Value | None] = [None] * num_ranks()
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]  # all are filled by now
