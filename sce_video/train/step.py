"""One optimiser step of pretraining or finetuning."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from sce_video.augment.batch import TrainBatch
from sce_video.augment.mixup import mixup
from sce_video.engine.cluster.collectives import num_ranks, rank
from sce_video.methods.base import Method
from sce_video.runtime.seeds import seed_from
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision

MakeViews = Callable[[TrainBatch], list[Tensor]]


def pretrain_step(
    parts: Sequence[TrainBatch],
    rates: Rates,
    *,
    replica: nn.Module,
    optimizer: Optimizer,
    precision: Precision,
    make_views: MakeViews,
    look: Callable[[Method], None] | None = None,
) -> Tensor:
    """Accumulate gradients over the parts of one batch, update the weights once, and call the method's `finish_step`.

    Args:
        parts: of this rank.
        replica: the method, wrapped by `replica_of`.
        look: called before `finish_step`: queue and momentum encoder are those that the loss has seen, and the
            gradients are still there.
    Returns:
        The loss on this rank's videos, a scalar still on the device.
    """

    method = method_of(replica)

    def loss_of(part: TrainBatch, views: list[Tensor]) -> Tensor:
        mask = (
            {"has_negatives": part.has_negatives.to(views[0].device, non_blocking=True)} if method.num_negatives else {}
        )
        loss: Tensor = replica(views, at=rates.method, **mask)
        return loss

    loss = _update(parts, replica, optimizer, lr=rates.lr, precision=precision, make_views=make_views, loss_of=loss_of)
    if look is not None:
        look(method)
    method.compared = None
    method.finish_step(at=rates.method)
    return loss


def method_of(replica: nn.Module) -> Method:
    """The method inside a replica of `replica_of`."""
    method = replica.module if isinstance(replica, DistributedDataParallel) else replica
    assert isinstance(method, Method)
    return method


@dataclass(frozen=True)
class Supervision:
    """Training targets of a classifier: `labels` int64 (videos of the list,), and how they are softened.

    `label_smoothing` in [0, 1]; `mixup_alpha` 0 is no mixup (arXiv:1710.09412), else both parameters of the Beta
    distribution.
    """

    labels: Tensor
    num_classes: int
    label_smoothing: float
    mixup_alpha: float


def finetune_step(
    parts: Sequence[TrainBatch],
    rates: Rates,
    *,
    step: int,
    seed: int,
    replica: nn.Module,
    optimizer: Optimizer,
    precision: Precision,
    make_views: MakeViews,
    supervision: Supervision,
) -> Tensor:
    """Accumulate cross-entropy gradients over the parts of one batch, and update the weights once.

    Dropout and mixup are functions of (seed, step, rank): videos are mixed with others of their rank.

    Args:
        parts: of this rank.
        replica: the classifier, wrapped by `replica_of`.
    Returns:
        The loss on this rank's videos, a scalar still on the device.
    """
    of_rank = (rank(),) if rank() else ()
    torch.manual_seed(seed_from(seed, "dropout", step, *of_rank))
    random = np.random.default_rng(seed_from(seed, "mixup", step, *of_rank))

    def loss_of(part: TrainBatch, views: list[Tensor]) -> Tensor:
        (view,) = views
        targets = F.one_hot(supervision.labels[part.videos], supervision.num_classes).float().to(view.device)
        if supervision.mixup_alpha > 0:
            view, targets = mixup(view, targets, alpha=supervision.mixup_alpha, random=random)
        return F.cross_entropy(replica(view), targets, label_smoothing=supervision.label_smoothing)

    return _update(parts, replica, optimizer, lr=rates.lr, precision=precision, make_views=make_views, loss_of=loss_of)


def replica_of(model: nn.Module, device: torch.device) -> nn.Module:
    """The model to call in training: on several ranks, its backward pass averages gradients over them (DDP).

    Buffers, such as the queue, are not synchronised: every rank computes the same.
    """
    if num_ranks() == 1 or not any(parameter.requires_grad for parameter in model.parameters()):
        return model
    device_ids = [torch.cuda.current_device()] if device.type == "cuda" else None
    # torch 2.14 renamed the argument.
    named = inspect.signature(DistributedDataParallel).parameters
    no_buffers: dict[str, Any] = {
        "forward_sync_buffers" if "forward_sync_buffers" in named else "broadcast_buffers": False
    }
    return DistributedDataParallel(model, device_ids=device_ids, gradient_as_bucket_view=True, **no_buffers)


def _update(
    parts: Sequence[TrainBatch],
    replica: nn.Module,
    optimizer: Optimizer,
    *,
    lr: float,
    precision: Precision,
    make_views: MakeViews,
    loss_of: Callable[[TrainBatch, list[Tensor]], Tensor],
) -> Tensor:
    """One update by the mean of the parts' losses; a parameter group with `lr_share` uses that share of `lr`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_share", 1.0)
    optimizer.zero_grad(set_to_none=True)
    losses = []
    for part in parts:
        views = make_views(part)
        with _without_averaging(replica) if part is not parts[-1] else nullcontext():
            with precision.autocast():
                loss = loss_of(part, views) / len(parts)
            precision.scaler.scale(loss).backward()
        losses.append(loss.detach())
    precision.scaler.step(optimizer)
    precision.scaler.update()
    return reduce(torch.add, losses)


def _without_averaging(replica: nn.Module) -> AbstractContextManager[None]:
    """Context without averaging of gradients over ranks, which is done once per step, after its last part."""
    return replica.no_sync() if isinstance(replica, DistributedDataParallel) else nullcontext()
