"""Key queue: a ring buffer of past keys."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KeyQueue(nn.Module):
    """FIFO queue of keys; any number of keys may be enqueued at once.

    Initialised with random unit vectors. Keys and position are buffers, so they are saved in checkpoints.

    Args:
        length: number of keys, K >= 0; 0 is an empty queue.
        dim: embedding width D.
    """

    keys: Tensor
    position: Tensor

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))

    def newest(self, number: int) -> Tensor:
        """The keys that were enqueued last, newest first, at most all; (number, D)."""
        length = len(self.keys)
        back = torch.arange(1, min(number, length) + 1, device=self.keys.device)
        return self.keys[(self.position - back) % length] if length else self.keys

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replace the oldest keys by new ones (N, D); of more than K the last K are kept."""
        length = len(self.keys)
        if length == 0:
            return
        slots = (self.position + torch.arange(len(keys), device=keys.device)) % length
        newest = slice(max(0, len(keys) - length), None)  # a slot written twice at once would be undefined
        self.keys[slots[newest]] = keys[newest].to(self.keys.dtype)
        self.position.copy_((self.position + len(keys)) % length)
