"""One optimiser step."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from sce_video.augment.batch import PretrainBatch
from sce_video.methods.sce import SCE
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision


def train_step(
    model: SCE,
    parts: Sequence[PretrainBatch],
    optimizer: Optimizer,
    *,
    rates: Rates,
    precision: Precision,
    make_views: Callable[[PretrainBatch], list[Tensor]],
) -> Tensor:
    """Gradients over the parts of one batch, one update, then the momentum branch and the queue move once.

    Returns:
        The loss, a scalar still on the device.
    """
    for group in optimizer.param_groups:
        group["lr"] = rates.lr
    optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=next(model.parameters()).device)
    for part in parts:
        view_1, view_2 = make_views(part)
        with precision.autocast():
            loss = model(view_1, view_2, rates=rates.method) / len(parts)
        precision.scaler.scale(loss).backward()
        total += loss.detach()
    precision.scaler.step(optimizer)
    precision.scaler.update()
    model.finish_step(rates=rates.method)
    return total
