"""Seeds and generators as functions of names, independent of what ran before."""

import hashlib
import random

import numpy as np
import torch


def seed_from(*parts: int | str) -> int:
    """A 63-bit seed that is a function of `parts` alone.

    Neighbouring parts (epoch 3 and 4, video 7 and 8) give unrelated seeds, on every machine.
    """
    text = "/".join(map(str, parts))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator_from(*parts: int | str) -> torch.Generator:
    """A CPU generator seeded by `seed_from(*parts)`, e.g. (seed, epoch, video, view)."""
    return torch.Generator().manual_seed(seed_from(*parts))


def seed_everything(seed: int) -> None:
    """Seed the global generators; only the initial weights (and dropout) draw from them."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
