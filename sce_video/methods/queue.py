"""A ring buffer of past keys."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KeyQueue(nn.Module):
    """First in, first out; any number of keys may enter at once and the ring wraps.

    Starts with random unit vectors. Keys and position are buffers, so they are in every checkpoint.

    Args:
        length: keys held, K >= 0; 0 is a queue that stays empty.
        dim: embedding width D.
    """

    keys: Tensor
    position: Tensor

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Write keys (N, D) over the oldest ones; of more than K the last K stay."""
        length = len(self.keys)
        if length == 0:
            return
        slots = (self.position + torch.arange(len(keys), device=keys.device)) % length
        newest = slice(max(0, len(keys) - length), None)  # a slot written twice at once would be undefined
        self.keys[slots[newest]] = keys[newest].to(self.keys.dtype)
        self.position.copy_((self.position + len(keys)) % length)
