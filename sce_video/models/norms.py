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
# Record of networks whose batch norms differ, as those of some of timm do.
_AS_BUILT = "those that the network is built with"
# For weights without a record: torchvision's, or those of earlier versions, which used its network unchanged.
_UNRECORDED = {"s3d": NormNumbers(1e-3, 1e-3)}


def norm_numbers(backbone: nn.Module) -> NormNumbers | None:
    """eps and momentum of all batch norms of a backbone; torch's defaults if it has none, None if they differ."""
    found = {NormNumbers(norm.eps, norm.momentum or 0.0) for norm in _norms(backbone)} or {_TORCH}
    return found.pop() if len(found) == 1 else None


def norm_record(backbone: nn.Module) -> str:
    """`norm_numbers` for files."""
    numbers = norm_numbers(backbone)
    return _AS_BUILT if numbers is None else str(numbers)


def set_norm_numbers(backbone: nn.Module, numbers: NormNumbers) -> None:
    for norm in _norms(backbone):
        norm.eps, norm.momentum = numbers


def recorded_norm_numbers(record: str | None, *, backbone: str) -> NormNumbers | None:
    """Inverse of `norm_record`: None for the numbers that the network is built with.

    Args:
        record: None for weights that have none.

    Raises:
        ValueError: the record is invalid.
    """
    if record is None:
        return _UNRECORDED.get(backbone, _TORCH)
    if record == _AS_BUILT:
        return None
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
