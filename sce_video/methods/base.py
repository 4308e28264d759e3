"""Base class of pretraining methods: views to a loss, and updates after the optimiser's step."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Scheduled(Protocol):
    """A scalar that may change during a run; see `optim.schedules`."""

    def at(self, step: int, *, num_steps: int) -> float:
        """Value at optimiser step `step`, from 0, of a run of `num_steps`."""
        ...


class Method(nn.Module, ABC):
    """Base class of pretraining methods; the training loop uses nothing else of them.

    `backbone` is the part that is saved and evaluated. `SCALARS` names the scalars that the method needs at every step;
    they are passed as `at`, and logged. A constructor takes, by keyword, those it needs of `scheduled`, the networks
    (`backbone`, `projector`, `predictor`), `embedding_dim`, and settings named like their keys of METHOD or CLIP.

    Args:
        scheduled: schedule of each of `SCALARS`.
        num_global_views: G >= 2; a method that takes other numbers than two has this argument.
    Raises:
        ValueError: one of `SCALARS` is missing, or another scalar is scheduled.
    """

    SCALARS: ClassVar[tuple[str, ...]] = ()
    NEEDS_PREDICTOR: ClassVar[bool] = False
    TAKES_LOCAL_VIEWS: ClassVar[bool] = False  # after the global ones
    GATHERS_EMBEDDINGS: ClassVar[bool] = True  # of global views, over ranks
    backbone: nn.Module

    def __init__(self, *, scheduled: Mapping[str, Scheduled], num_global_views: int = 2) -> None:
        super().__init__()
        if set(scheduled) != set(self.SCALARS):
            raise ValueError(
                f"{type(self).__name__} has schedules for {', '.join(scheduled) or 'no scalars'}; "
                f"it needs them for {', '.join(self.SCALARS) or 'none'}"
            )
        self.scheduled = {name: scheduled[name] for name in self.SCALARS}
        self.num_global_views = num_global_views

    @abstractmethod
    def forward(self, views: Sequence[Tensor], *, at: Mapping[str, float]) -> Tensor:
        """Mean loss over this rank's videos, a float32 scalar.

        Args:
            views: of the same B videos, each float (B, C, T, H, W): the global views, then local ones if the method
                takes them, which may have other sizes.
            at: values of `SCALARS` at this step.
        """

    def require_views(self, views: Sequence[Tensor]) -> None:
        """Raise ValueError if the number of views is not one that the method takes."""
        num_local = len(views) - self.num_global_views
        if num_local < 0 or (num_local > 0 and not self.TAKES_LOCAL_VIEWS):
            taken = f"{self.num_global_views} or more" if self.TAKES_LOCAL_VIEWS else str(self.num_global_views)
            raise ValueError(f"there are {len(views)} views; {type(self).__name__} takes {taken}")

    def finish_step(self, *, at: Mapping[str, float]) -> None:
        """Called once after each optimiser step, to update what has no gradient: momentum encoder, queue."""


def unit(embedding: Tensor) -> Tensor:
    """L2-normalise the rows, in float32 or better."""
    return F.normalize(embedding.to(torch.promote_types(embedding.dtype, torch.float32)), dim=1)
