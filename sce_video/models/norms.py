"""The two numbers of a backbone's batch norms that no state dict holds; files of weights keep them beside it.

Networks trained here have torch's, as those of the papers have. torchvision's S3D has TensorFlow's: with a momentum of
0.001 the running statistics of a network that is trained from scratch keep 60 % of their start after 510 steps.
"""

import re
from typing import NamedTuple

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class NormNumbers(NamedTuple):
    """What is added to the variance, and the share of a batch in the running statistics."""

    eps: float
    momentum: float

    def __str__(self) -> str:
        return f"eps {self.eps!r}, momentum {self.momentum!r}"


_TORCH = NormNumbers(1e-5, 0.1)
# Of weights without a record: torchvision's own, or those of earlier versions, which built its network as it is.
_UNRECORDED = {"s3d": NormNumbers(1e-3, 1e-3)}


def norm_numbers(backbone: nn.Module) -> NormNumbers:
    """Those that all batch norms of a backbone share; torch's where there are none.

    Raises:
        ValueError: they differ.
    """
    found = {NormNumbers(norm.eps, norm.momentum or 0.0) for norm in _norms(backbone)} or {_TORCH}
    if len(found) != 1:
        raise ValueError(f"expected batch norms that are alike, found {sorted(found)}")
    return found.pop()


def set_norm_numbers(backbone: nn.Module, numbers: NormNumbers) -> None:
    for norm in _norms(backbone):
        norm.eps, norm.momentum = numbers


def recorded_norm_numbers(record: str | None, *, backbone: str) -> NormNumbers:
    """What `str(NormNumbers)` says; without a record that of the backbone's unrecorded weights.

    Raises:
        ValueError: the record says something else.
    """
    if record is None:
        return _UNRECORDED.get(backbone, _TORCH)
    match = re.fullmatch(r"eps ([\d.e-]{1,30}), momentum ([\d.e-]{1,30})", str(record))
    try:
        numbers = NormNumbers(*map(float, match.groups())) if match else None
    except ValueError:
        numbers = None
    if numbers is None or not (0 < numbers.eps < 1 and 0 < numbers.momentum <= 1):
        raise ValueError(f"what it says of its batch norms is {str(record)[:100]!r}")
    return numbers


def _norms(module: nn.Module) -> list[_BatchNorm]:
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]
