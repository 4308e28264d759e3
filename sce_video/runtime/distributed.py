"""Which process this is; everything works in one process without torch.distributed."""

import torch.distributed as dist


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def is_main_process() -> bool:
    """True on the one process that writes logs, checkpoints and results."""
    return rank() == 0
