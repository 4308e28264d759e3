"""Tiny methods on tiny views, and steps of them seen by a probe."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sce_video.arguments import keyword_names
from sce_video.augment.batch import TrainBatch
from sce_video.methods.base import Method
from sce_video.methods.table import METHODS
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.probes.base import Probe, Seen
from sce_video.train.step import pretrain_step
from tests.methods.still import still

SCALARS = {"coeff": 0.5, "temperature": 0.1, "target_temperature": 0.05, "ema_momentum": 0.9}
CPU = torch.device("cpu")


class Flat(nn.Linear):
    """A backbone of one layer."""

    def forward(self, view: Tensor) -> Tensor:
        return super().forward(view.flatten(1))


def tiny_method(name: str, *, queue_length: int = 12, in_batch_keys: bool = False, **scalars: float) -> Method:
    """Embeddings of 8 dimensions of views of 48 numbers, without batch norm."""
    torch.manual_seed(0)
    method = METHODS[name]
    given: dict[str, Any] = {
        "backbone": Flat(48, 16),
        "projector": nn.Linear(16, 8),
        "predictor": nn.Linear(8, 8),
        "embedding_dim": 8,
        "queue_length": queue_length,
        "in_batch_keys": in_batch_keys,
        "scheduled": still({each: value for each, value in (SCALARS | scalars).items() if each in method.SCALARS}),
    }
    return method(**{each: value for each, value in given.items() if each in keyword_names(method)})


def rates_of(method: Method, *, lr: float = 0.0) -> Rates:
    return Rates(lr, {name: scalar.at(0, num_steps=1) for name, scalar in method.scheduled.items()})


def take_steps(
    method: Method, probe: Probe, batches: Sequence[list[Tensor]], *, num_parts: int = 1, lr: float = 0.0
) -> list[Tensor]:
    """One optimiser step per list of views, each seen by the probe; the losses."""
    optimizer = torch.optim.SGD([each for each in method.parameters() if each.requires_grad], lr=lr)
    rates, losses = rates_of(method, lr=lr), []
    for step, views in enumerate(batches):
        chunks = list(zip(*(view.chunk(num_parts) for view in views), strict=True))
        parts = [TrainBatch(list(range(len(chunk[0]))), [], []) for chunk in chunks]
        waiting = iter(chunks)
        loss = pretrain_step(
            parts,
            rates,
            replica=method,
            optimizer=optimizer,
            precision=Precision("fp32", CPU),
            make_views=lambda part, waiting=waiting: list(next(waiting)),
            look=lambda seen, step=step, parts=parts: probe.look(Seen(step, parts, rates, seen)),
        )
        losses.append(loss)
    return losses


def random_views(num_videos: int, *, seed: int = 1) -> Tensor:
    return torch.randn(num_videos, 3, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
