"""Optimisers by OPTIM.NAME; they take parameters or groups, and their learning rate is set at every step."""

from collections.abc import Callable, Sequence
from typing import Any

from torch.optim import SGD, AdamW, Optimizer

from sce_video.optim.lars import LARS

Groups = Sequence[Any]


def lars(groups: Groups, *, sgd_momentum: float, weight_decay: float) -> Optimizer:
    return LARS(groups, lr=0.0, sgd_momentum=sgd_momentum, weight_decay=weight_decay)


def sgd(groups: Groups, *, sgd_momentum: float) -> Optimizer:
    return SGD(groups, lr=0.0, momentum=sgd_momentum)


def adamw(groups: Groups) -> Optimizer:
    return AdamW(groups, lr=0.0)


# LARS takes the weight decay itself; the others are given groups with it (`decay_groups`).
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"lars": lars, "sgd": sgd, "adamw": adamw}
