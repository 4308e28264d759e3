"""The embeddings for which others' code has given values."""

import torch
import torch.nn.functional as F
from torch import Tensor


def waves(num_rows: int, num_columns: int, phase: float) -> Tensor:
    """Unit rows sin(phase + 1.3 i + 0.7 j (1 + 0.1 i)), float64."""
    i = torch.arange(num_rows, dtype=torch.double)[:, None]
    j = torch.arange(num_columns, dtype=torch.double)
    return F.normalize(torch.sin(phase + 1.3 * i + 0.7 * j * (1 + 0.1 * i)), dim=1)
