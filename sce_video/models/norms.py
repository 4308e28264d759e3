"""eps and momentum of a backbone's batch norms, which are not in its state dict but are recorded in weight files.

Networks trained here have torch's defaults, as in the papers. torchvision's S3D has TensorFlow's: with a momentum of
0.001, running statistics keep 60 % of their initial value after 510 steps of training from scratch.
"""

import re
from typing import NamedTuple

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class NormNumbers(NamedTuple):
    """eps and momentum of batch norms, as in torch."""

    eps: float
    momentum: float

    def __str__(self) -> str:
        return f"eps {self.eps!r}, momentum {self.momentum!r}"


_TORCH = NormNumbers(1e-5, 0.1)
# For weights without a record: torchvision's, or those of earlier versions, which used its network unchanged.
_UNRECORDED = {"s3d": NormNumbers(1e-3, 1e-3)}


def norm_numbers(backbone: nn.Module) -> NormNumbers:
    """eps and momentum of all batch norms of a backbone; torch's defaults if it has none.

    Raises:
        ValueError: they differ.
    """
    found = {NormNumbers(norm.eps, norm.momentum or 0.0) for norm in _norms(backbone)} or {_TORCH}
    if len(found) != 1:
        raise ValueError(f"the batch norms differ: {sorted(found)}; all must have the same eps and momentum")
    return found.pop()


def set_norm_numbers(backbone: nn.Module, numbers: NormNumbers) -> None:
    for norm in _norms(backbone):
        norm.eps, norm.momentum = numbers


def recorded_norm_numbers(record: str | None, *, backbone: str) -> NormNumbers:
    """Inverse of `str(NormNumbers)`; None gives the numbers of weights that have no record.

    Raises:
        ValueError: the record is invalid.
    """
    if record is None:
        return _UNRECORDED.get(backbone, _TORCH)
    match = re.fullmatch(r"eps ([\d.e-]{1,30}), momentum ([\d.e-]{1,30})", str(record))
    try:
        numbers = NormNumbers(*map(float, match.groups())) if match else None
    except ValueError:
        numbers = None
    if numbers is None or not (0 < numbers.eps < 1 and 0 < numbers.momentum <= 1):
        raise ValueError(f"its record of the batch norms is {str(record)[:100]!r}")
    return numbers


def synchronised(model: nn.Module) -> nn.Module:
    """The model with SyncBatchNorm for its batch norms; those of timm with an activation inside keep it."""
    if any(type(part).__module__.startswith("timm.") for part in model.modules()):
        from timm.layers import convert_sync_batchnorm as convert
    else:
        convert = nn.SyncBatchNorm.convert_sync_batchnorm
    converted: nn.Module = convert(model)
    return converted


def _norms(module: nn.Module) -> list[_BatchNorm]:
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]
