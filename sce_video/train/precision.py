"""Mixed precision: autocast, loss scaling, and a check for wrong gradients of this machine's kernels."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F

from sce_video.errors import UserError

AUTOCAST_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_NUM_FRAMES_TRIED = (1, 2, 4, 8)
_KERNELS_TRIED = ((3, 1, 1), (1, 3, 3), (3, 3, 3))
_TOLERATED_SHARE = 0.05  # of the largest gradient; correct kernels are below 0.01


class Precision:
    """Autocast and, for fp16, loss scaling.

    Args:
        name: "fp32", "bf16" or "fp16".
    """

    def __init__(self, name: str, device: torch.device) -> None:
        if name not in AUTOCAST_DTYPES:
            raise ValueError(f"precision is {name!r}; choose one of {', '.join(AUTOCAST_DTYPES)}")
        self.name = name
        self._device = device
        self._dtype = AUTOCAST_DTYPES[name]
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._dtype is torch.float16)

    def autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None)

    def require_right_gradients(
        self, *, kernels: Iterable[tuple[int, ...]] = _KERNELS_TRIED, most_frames: int = _NUM_FRAMES_TRIED[-1]
    ) -> None:
        """Compare gradients of small 3D convolutions with those in float32; takes milliseconds.

        Some versions of torch and cuDNN compute them wrongly: on a CPU torch 2.11, 2.14 and 2.15 give garbage in
        bf16 for 2 frames, to which strided networks reduce longer clips.

        Args:
            kernels: sizes of those that are used.
            most_frames: of a clip.
        Raises:
            UserError: they are wrong on this machine.
        """
        if self._dtype is None:
            return
        kernels = sorted(kernels)
        for num_frames in (each for each in _NUM_FRAMES_TRIED if each <= most_frames):
            for kernel in kernels:
                if not self._gradient_error(num_frames, kernel) < _TOLERATED_SHARE:  # NaN is wrong too
                    raise UserError(
                        f"TRAIN.PRECISION is {self.name}, but on this {self._device.type} torch {torch.__version__} "
                        f"computes wrong gradients of 3D convolutions in it ({num_frames} frames, kernel {kernel}); "
                        f"use fp32{', or TRAIN.SPEED channels_last' if kernel[1:] == (1, 1) else ''}"
                    )

    def _gradient_error(self, num_frames: int, kernel: tuple[int, ...]) -> float:
        """Largest error of a weight gradient, as a share of the largest gradient."""
        generator = torch.Generator().manual_seed(0)
        padding = tuple(side // 2 for side in kernel)
        shapes = (4, 16, num_frames, 8, 8), (16, 16, *kernel)
        views, weight = (torch.randn(shape, generator=generator).to(self._device) for shape in shapes)
        weight.requires_grad_()
        exact_output = F.conv3d(views, weight, padding=padding)
        upstream = torch.randn(exact_output.shape, generator=generator).to(self._device)
        exact = torch.autograd.grad(exact_output, weight, upstream)[0]
        with self.autocast():
            rough_output = F.conv3d(views, weight, padding=padding)
        rough = torch.autograd.grad(rough_output, weight, upstream.to(rough_output.dtype))[0]
        return ((rough - exact).abs().max() / exact.abs().max()).item()
