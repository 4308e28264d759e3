"""What every pretraining method is to the loop: views to a loss, and what moves after the optimiser's step."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Scheduled(Protocol):
    """A scalar that may move during a run; see `optim.schedules`."""

    def at(self, step: int, *, num_steps: int) -> float:
        """Its value at a step, from 0, of a run of `num_steps`."""
        ...


class Method(nn.Module, ABC):
    """A pretraining method. The loop knows nothing else of it.

    `backbone` is the part that is kept and evaluated. `SCALARS` names the scalars that the method wants at every step;
    they arrive as `at`, and are logged. The constructor's arguments, all by keyword, are `scheduled`, the networks
    (`backbone`, `projector`, `predictor`), `embedding_dim` and settings called like their keys of METHOD, as it wants.

    Args:
        scheduled: how each of them moves.
    Raises:
        ValueError: one of `SCALARS` is missing, or something else is scheduled.
    """

    SCALARS: ClassVar[tuple[str, ...]] = ()
    NEEDS_PREDICTOR: ClassVar[bool] = False
    backbone: nn.Module

    def __init__(self, *, scheduled: Mapping[str, Scheduled]) -> None:
        super().__init__()
        if set(scheduled) != set(self.SCALARS):
            raise ValueError(
                f"{type(self).__name__} has {', '.join(scheduled) or 'no scalars'} scheduled; "
                f"it wants {', '.join(self.SCALARS) or 'none'}"
            )
        self.scheduled = {name: scheduled[name] for name in self.SCALARS}

    @abstractmethod
    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """The mean loss of this rank's videos, a float32 scalar.

        Args:
            views: of the same B videos, each float (B, C, T, H, W).
            at: the method's scalars at this step.
        """

    def finish_step(self, *, at: Mapping[str, float]) -> None:
        """Called after the optimiser's step, once for all parts of a batch: what follows the online branch moves."""


def unit(embedding: Tensor) -> Tensor:
    """Rows of length 1, at least in float32."""
    return F.normalize(embedding.to(torch.promote_types(embedding.dtype, torch.float32)), dim=1)
