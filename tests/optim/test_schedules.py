"""Schedules: numbers worked out by hand, torch's own cosine, and what holds for every run length."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_video.optim.schedules import RAMP_SHAPES, LearningRate, ema_momentum, ramp, warmup_cosine, warmup_drops

VALUES = st.floats(min_value=0.0, max_value=10.0)
SHAPES = st.sampled_from(sorted(RAMP_SHAPES))
RUNS = st.integers(min_value=1, max_value=200).flatmap(
    lambda num_steps: st.tuples(st.just(num_steps), st.integers(min_value=0, max_value=num_steps))
)


def rates(num_steps: int, warmup_steps: int, peak: float, final: float = 0.0) -> list[float]:
    return [
        warmup_cosine(step, num_steps=num_steps, warmup_steps=warmup_steps, peak=peak, final=final)
        for step in range(num_steps)
    ]


def test_warmup_cosine_of_the_k400_recipe() -> None:
    values = rates(2000, 350, 4.8)  # 200 epochs of 10 steps, 35 of warm-up
    assert values[0] == 0
    assert values[1] == pytest.approx(0.01375, abs=5e-6)  # measured on the authors' code (eztorch)
    assert values[349] == values[350] == 4.8
    assert values[350 + 825] == pytest.approx(2.4)
    assert 0 < values[-1] < 1e-5


@pytest.mark.parametrize(
    ("warmup_steps", "expected"),
    [
        (0, [8.0, 6.0, 2.0]),  # cos(0), cos(60 deg), cos(120 deg)
        (1, [8.0, 8.0, 4.0]),  # peak at W - 1 and at W
        (2, [0.0, 8.0, 8.0]),
        (3, [0.0, 4.0, 8.0]),  # no step is left for the cosine
    ],
)
def test_warmup_cosine_of_three_steps(warmup_steps: int, expected: list[float]) -> None:
    assert rates(3, warmup_steps, 8.0) == pytest.approx(expected)


def test_warmup_cosine_without_warm_up_is_torch_s() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=17, eta_min=0.5)
    expected = []
    for _ in range(17):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert rates(17, 0, 3.0, 0.5) == pytest.approx(expected, rel=1e-9)


def test_drops_without_warm_up_are_torch_s() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=30.0)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[6, 8], gamma=0.1)
    expected = []
    for _ in range(10):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert [warmup_drops(step, warmup_steps=0, drop_steps=(6, 8), peak=30.0) for step in range(10)] == pytest.approx(
        expected, rel=1e-12
    )


def test_drops_follow_a_warm_up() -> None:
    lr = LearningRate(warmup_steps=3, peak=8.0, final=0.0, drop_steps=(4, 6))
    assert [lr.at(step, num_steps=7) for step in range(7)] == pytest.approx([0.0, 4.0, 8.0, 8.0, 0.8, 0.8, 0.08])
    for step, warmup_steps in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="must be at least 0"):
            warmup_drops(step, warmup_steps=warmup_steps, drop_steps=(1,), peak=1.0)


def test_warmup_cosine_of_the_supervised_baseline() -> None:
    """R3D-18 on K200 in SCE's reference code: 200 epochs of 66 steps, 34 of warm-up, from 1.6 to 0.04."""
    values = rates(13_200, 2_244, 1.6, 0.04)
    assert values[0] == 0
    assert values[2_243] == values[2_244] == max(values) == 1.6
    assert values[2_244 + 10_956 // 2] == pytest.approx(0.82)
    assert values[-1] == pytest.approx(0.04, abs=1e-7)


@given(run=RUNS, peak=VALUES, share=st.floats(min_value=0.0, max_value=1.0))
def test_warmup_cosine_rises_then_falls_between_its_bounds(run: tuple[int, int], peak: float, share: float) -> None:
    num_steps, warmup_steps = run
    final = share * peak
    values = rates(num_steps, warmup_steps, peak, final)
    rising, falling = values[:warmup_steps], values[warmup_steps:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert all(0 <= value <= peak for value in rising)
    assert all(final - 1e-9 <= value <= peak for value in falling)
    assert max(values) == peak
    assert warmup_cosine(num_steps, num_steps=num_steps, warmup_steps=warmup_steps, peak=peak, final=final) == final


def test_ema_momentum_of_the_paper() -> None:
    values = [ema_momentum(step, num_steps=101, start=0.99) for step in range(101)]
    assert values[0] == 0.99
    assert values[25] == pytest.approx(1 - 0.01 * (math.sqrt(0.5) + 1) / 2)
    assert values[50] == pytest.approx(0.995)
    assert values[100] == 1.0


def test_ema_momentum_of_a_run_of_one_step_and_after_the_end() -> None:
    assert ema_momentum(0, num_steps=1, start=0.996) == 0.996
    assert ema_momentum(5, num_steps=3, start=0.5) == 1.0


@given(num_steps=st.integers(min_value=2, max_value=200), start=st.floats(min_value=0.0, max_value=1.0))
def test_ema_momentum_rises_from_start_to_one(num_steps: int, start: float) -> None:
    values = [ema_momentum(step, num_steps=num_steps, start=start) for step in range(num_steps)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (start, 1.0)


@pytest.mark.parametrize(
    ("start", "end", "shape", "expected"),
    [
        (0.04, 0.07, "linear", [0.04, 0.0475, 0.055, 0.0625, 0.07, 0.07]),  # reversed in the reference
        (1.0, 0.5, "linear", [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]),
        (0.0, 1.0, "cosine", [0.0, 0.146447, 0.5, 0.853553, 1.0, 1.0]),
        (1.0, 0.0, "cosine", [1.0, 0.853553, 0.5, 0.146447, 0.0, 0.0]),
    ],
)
def test_ramp_up_and_down(start: float, end: float, shape: str, expected: list[float]) -> None:
    values = [ramp(step, num_steps=5, start=start, end=end, shape=shape) for step in range(6)]
    assert values == pytest.approx(expected, abs=1e-6)


@given(start=VALUES, end=VALUES, shape=SHAPES, step=st.integers(min_value=0, max_value=10))
def test_ramp_of_no_steps_is_at_its_end(start: float, end: float, shape: str, step: int) -> None:
    for num_steps in (0, 1):
        assert ramp(step, num_steps=num_steps, start=start, end=end, shape=shape) == end


@given(num_steps=st.integers(min_value=2, max_value=100), start=VALUES, end=VALUES, shape=SHAPES)
def test_ramp_is_monotonic_and_the_same_way_both_ways(num_steps: int, start: float, end: float, shape: str) -> None:
    there = [ramp(step, num_steps=num_steps, start=start, end=end, shape=shape) for step in range(num_steps + 1)]
    back = [ramp(step, num_steps=num_steps, start=end, end=start, shape=shape) for step in range(num_steps + 1)]
    assert (there[0], there[-2], there[-1]) == (start, end, end)
    assert there[:-2] == sorted(there[:-2], reverse=end < start)
    assert all(min(start, end) - 1e-9 <= value <= max(start, end) + 1e-9 for value in there)
    assert [a + b for a, b in zip(there, back, strict=True)] == pytest.approx([start + end] * len(there))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: warmup_cosine(-1, num_steps=2, warmup_steps=0, peak=1.0), "step is -1; it must be at least 0"),
        (lambda: warmup_cosine(0, num_steps=0, warmup_steps=0, peak=1.0), "num_steps is 0; it must be at least 1"),
        (lambda: warmup_cosine(0, num_steps=5, warmup_steps=6, peak=1.0), r"warmup_steps is 6; .* \[0, 5\]"),
        (lambda: warmup_cosine(0, num_steps=5, warmup_steps=-1, peak=1.0), r"warmup_steps is -1; .* \[0, 5\]"),
        (lambda: ema_momentum(-2, num_steps=5, start=0.9), "step is -2; it must be at least 0"),
        (lambda: ema_momentum(0, num_steps=0, start=0.9), "num_steps is 0; it must be at least 1"),
        (lambda: ema_momentum(0, num_steps=5, start=1.1), r"start is 1.1; it must be in \[0, 1\]"),
        (lambda: ema_momentum(0, num_steps=5, start=-0.1), r"start is -0.1; it must be in \[0, 1\]"),
        (lambda: ramp(-1, num_steps=5, start=0, end=1, shape="linear"), "step is -1; it must be at least 0"),
        (lambda: ramp(0, num_steps=-1, start=0, end=1, shape="linear"), "num_steps is -1; it must be at least 0"),
        (lambda: ramp(0, num_steps=0, start=0, end=1, shape="square"), "'square'; it must be one of linear, cosine"),
    ],
)
def test_errors_name_the_value_and_the_bound(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
