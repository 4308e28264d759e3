"""Bytes of tensors in use, against sizes counted by hand and, for whole steps, a measurement on a GPU."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from sce_video.train.memory import LiveBytes, fake_tensors, make_fake, peak_bytes

REPOSITORY = Path(__file__).resolve().parents[2]
KIB = 1024
WORKSPACES = 64 * KIB * KIB  # of cuBLAS on Hopper, in two threads


def test_the_peak_is_the_most_that_lives_at_once() -> None:
    with fake_tensors(), LiveBytes() as live:
        one = torch.empty(256)  # 1 KiB
        two = torch.empty(2, 256)
        assert live.now == 3 * KIB
        view = two[0]
        del two
        assert live.now == 3 * KIB  # a view keeps all of it
        del view, one
        assert (live.now, live.peak) == (0, 3 * KIB)
        small = torch.empty(1)
        assert live.now == 512  # the allocator's block
        del small
        one = torch.empty(256).add_(1)
        assert (live.now, live.peak) == (1 * KIB, 3 * KIB)
        del one


def half_precision(function: Callable[[Tensor], Tensor]) -> torch.dtype:
    with fake_tensors(), torch.autocast("cpu", dtype=torch.bfloat16):
        return function(torch.empty(2, 4, 8, 8, 8, dtype=torch.bfloat16)).dtype


def test_types_are_those_of_autocast_on_a_gpu() -> None:
    """Pooling is in no list of CUDA; norms, softmax are in float32 (https://docs.pytorch.org/docs/stable/amp.html)."""
    assert half_precision(nn.MaxPool3d(2)) == torch.bfloat16
    assert half_precision(nn.AdaptiveAvgPool3d(1)) == torch.bfloat16
    assert half_precision(nn.Softmax(dim=1)) == torch.float32
    assert half_precision(lambda views: nn.functional.layer_norm(views, (8,))) == torch.float32
    assert half_precision(lambda views: views @ views) == torch.bfloat16
    assert half_precision(nn.Upsample(scale_factor=2)) == torch.bfloat16


def peak_of_linear(num_rows: int, optimizer_of: Callable[..., torch.optim.Optimizer]) -> int:
    """Peak of a step on a linear layer of 256 x 256 without bias, 256 KiB, in float32."""
    with torch.device("meta"):
        model = nn.Linear(256, 256, bias=False)
    with fake_tensors():
        make_fake(model)
        optimizer = optimizer_of(model.parameters())

        def step() -> None:
            model(torch.empty(num_rows, 256)).sum().backward()
            optimizer.step()

        return peak_bytes(step, model=model, optimizer=optimizer) - WORKSPACES


def test_a_linear_layer_by_hand() -> None:
    """Adam: weight, gradient and two moments, and for one update its denominator, besides small scalars."""
    weight = 256 * KIB
    plain = peak_of_linear(1, lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.0))
    with_momentum = peak_of_linear(1, lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9))
    adam = peak_of_linear(1, lambda parameters: torch.optim.AdamW(parameters, foreach=False))
    assert 2 * weight <= plain < 2 * weight + 16 * KIB
    assert with_momentum - plain == weight
    assert 5 * weight <= adam < 6 * weight + 16 * KIB


def test_a_batch_counts_in_proportion() -> None:
    """256 rows of input and 256 of output, 256 KiB each, live at once in the forward pass."""
    few, many = (peak_of_linear(rows, lambda each: torch.optim.SGD(each, lr=0.1)) for rows in (1024, 2048))
    assert many - few == 2 * 1024 * KIB


def test_a_fake_model_has_the_shapes_and_what_is_trained() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
    model[0].weight.requires_grad_(False)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    with fake_tensors():
        make_fake(model)
        assert {name: value.shape for name, value in model.state_dict().items()} == shapes
        assert model(torch.empty(4, 3)).device.type == "cpu"
    assert [name for name, each in model.named_parameters() if not each.requires_grad] == ["0.weight"]


FORK_AFTER_FAKE_TENSORS = """
import os, torch
from sce_video.train.memory import fake_tensors
with fake_tensors():
    torch.zeros((), requires_grad=True).backward()
if os.fork() == 0:
    torch.zeros((), requires_grad=True).backward()
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_forked_processes_can_still_run_backward() -> None:
    """In a new interpreter, since it depends on the first backward pass."""
    assert subprocess.run([sys.executable, "-c", FORK_AFTER_FAKE_TENSORS], cwd=REPOSITORY).returncode == 0
