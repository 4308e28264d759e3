"""Peak memory of a training step on a GPU, without one: the step runs on fake tensors, which have sizes but no values.

Counted is what `torch.cuda.max_memory_allocated` counts: all tensors that exist at the same time, in blocks of 512
bytes, and the workspaces of cuBLAS. Nothing is fitted to measurements. Not counted are the augmentation, which is over
before the networks begin, and memory outside the allocator or lost in its gaps (CUDA context, fragmentation), about 1
GiB. Against an H100 the estimate is up to 5 % too low, 1 % too high (benchmarks/results/step_h100_2026-11-26.json).
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_BLOCK_BYTES = 512
# cuBLAS has one per thread, here of the forward and of the backward pass; 32 MiB on Hopper, less on earlier GPUs.
_WORKSPACE_BYTES = 2 * 32 * 2**20
# Beginnings of the names of functions for which autocast of a CPU and of a GPU choose different types.
_AS_GIVEN = ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool")
_IN_FLOAT32 = ("layer_norm", "group_norm", "softmax")


class LiveBytes(TorchDispatchMode):
    """Bytes of the tensors that operations return and that are still in use; `peak` is the most so far."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._bytes: dict[int, int] = {}  # by storage

    def count(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self._bytes:
                self._bytes[key] = -(-storage.nbytes() // _BLOCK_BYTES) * _BLOCK_BYTES
                self.now += self._bytes[key]
                weakref.finalize(storage, self._release, key)
        self.peak = max(self.peak, self.now)

    def _release(self, key: int) -> None:
        self.now -= self._bytes.pop(key)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count([each for each in tree_leaves(result) if isinstance(each, Tensor)])
        return result


class _GpuAutocast(TorchFunctionMode):
    """Makes autocast of the CPU, which fake tensors use, choose the types that a GPU's does, where the two differ."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if torch.is_autocast_enabled("cpu") and name.startswith((*_AS_GIVEN, *_IN_FLOAT32)):
            first = args[0].float() if name.startswith(_IN_FLOAT32) else args[0]
            with torch.autocast("cpu", enabled=False):
                return func(first, *args[1:], **(kwargs or {}))
        return func(*args, **(kwargs or {}))


@contextmanager
def fake_tensors() -> Iterator[None]:
    """Inside, tensors are fake and autocast treats them as on a GPU."""
    # The first backward pass starts a thread per GPU, also for the one that fake tensors pretend to have; processes
    # forked later could not run backward. Here is none yet.
    torch.zeros((), requires_grad=True).backward()
    with ExitStack() as modes:
        modes.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        modes.enter_context(_GpuAutocast())
        yield


def make_fake(module: nn.Module) -> None:
    """Replace the parameters and buffers of a module on the meta device, in place; call it within `fake_tensors`."""
    for part in module.modules():
        for tensors in cast(list[dict[str, Tensor | None]], [part._parameters, part._buffers]):
            for name, old in tensors.items():
                if old is not None:
                    new = torch.empty(old.shape, dtype=old.dtype)
                    is_parameter = isinstance(old, nn.Parameter)
                    tensors[name] = nn.Parameter(new, requires_grad=old.requires_grad) if is_parameter else new


def peak_bytes(step: Callable[[], object], *, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The most bytes in use during a step after the first, with those of the model and of the optimiser's state.

    Args:
        step: one optimiser step, which makes its own views.
        model: after `make_fake`; call this within `fake_tensors`.
    """
    live = LiveBytes()
    live.count([*model.parameters(), *model.buffers()])
    with live:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.empty_like(parameter)
        optimizer.step()  # its state is made in the first step
        optimizer.zero_grad(set_to_none=True)
        live.peak = live.now
        step()
    return live.peak + _WORKSPACE_BYTES
