"""Base class of pretraining methods: views to a loss, and updates after the optimiser's step."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Scheduled(Protocol):
    """A scalar that may change during a run; see `optim.schedules`."""

    def at(self, step: int, *, num_steps: int) -> float:
        """Value at optimiser step `step`, from 0, of a run of `num_steps`."""
        ...


class Compared(NamedTuple):
    """Embeddings of one pair of views, as a forward pass has compared them; unit vectors without gradient.

    `query` (B, D); `keys` (N, D), of the other view and, if the method gathers them, of the videos of all ranks; `own`:
    int64 (B,), the row of `keys` that belongs to each query; `negatives` (B, n): the query's similarities to the keys
    of other times of its video, -inf for none.
    """

    query: Tensor
    keys: Tensor
    own: Tensor
    negatives: Tensor | None = None


@dataclass(frozen=True)
class Relations:
    """The two distributions whose cross-entropy is the loss of a pair of views, in float32.

    Attributes:
        logits: (B, M), -inf for what is not compared; the query's distribution is their softmax.
        target: (B, M), rows sum to 1.
        own_column: int64 (B,), the column of the query's own key; None if that is not among the M.
        scale: the loss is the mean cross-entropy times this.
    """

    logits: Tensor
    target: Tensor
    own_column: Tensor | None
    scale: float = 1.0

    def loss(self) -> Tensor:
        """Mean cross-entropy times the scale, a scalar."""
        log_shares = F.log_softmax(self.logits, dim=1)
        return -self.scale * torch.where(self.target > 0, self.target * log_shares, 0.0).sum(dim=1).mean()

    def chance_loss(self) -> Tensor:
        """The loss if all similarities are equal, whatever the target: the logarithm of how many there are."""
        return self.scale * torch.isfinite(self.logits).sum(dim=1).float().log().mean()


def rows_of(own: slice, keys: Tensor) -> Tensor:
    """Numbers of the rows of a slice, int64, on the device of `keys`."""
    return torch.arange(len(keys), device=keys.device)[own]


def only_own(logits: Tensor, own_column: Tensor, *, scale: float = 1.0) -> Relations:
    """Relations whose target is the query's own key alone: InfoNCE."""
    return Relations(logits, torch.zeros_like(logits).scatter_(1, own_column[:, None], 1.0), own_column, scale)


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
    CHANCE_LOSS: ClassVar[float | None] = None  # of independent embeddings; None: as `relations` say
    num_negatives: int = 0  # how many views of other times of the videos follow all others
    backbone: nn.Module
    # Of the last forward pass, for the probes of training; None if the method does not say.
    compared: Compared | None = None

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

    def relations(self, compared: Compared, *, at: Mapping[str, float]) -> Relations | None:
        """The distributions of a loss that is a cross-entropy, for the probes of training; None for another loss."""
        return None

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
