"""The optimisers by OPTIM.NAME: of parameters or groups of these, at a learning rate that is set at every step."""

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


# What takes the weight decay itself knows which parameters it is for; the others are given groups that say it.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"lars": lars, "sgd": sgd, "adamw": adamw}
