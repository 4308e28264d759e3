"""Activation checkpointing: memory for time, with the same gradients."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from sce_video.models.base import Backbone


def recompute_activations(backbone: Backbone) -> None:
    """Keep only the inputs of a backbone's blocks, and compute what is inside again in the backward pass.

    This costs another forward pass of the blocks (arXiv:1604.06174). Outputs, gradients and running statistics are the
    same to the bit. Of a block that is only a list, those members are repeated that have layers inside; single layers,
    as in a stem of patches and tokens, have nothing else to keep.
    """
    parts = set(backbone.modules())
    for block in backbone.blocks_in_order():
        members = [each for each in block if list(each.children())] if isinstance(block, nn.ModuleList) else [block]
        for member in parts.intersection(members):
            forward = partial(checkpoint, member.forward, use_reentrant=False, context_fn=partial(_contexts, member))
            member.forward = forward


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of the forward pass and of its repetition."""
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Batch norms update copies of their running statistics, since the first forward pass has updated these."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    kept = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    try:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer.clone())
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
