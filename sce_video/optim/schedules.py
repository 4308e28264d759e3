"""Schedules of scalars as pure functions of the optimiser step, so that a resumed run gets the same values."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Share of the way from start to end, in [0, 1], at a progress in [0, 1].
RAMP_SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: progress,
    "cosine": lambda progress: (1 - math.cos(math.pi * progress)) / 2,
}


def warmup_cosine(step: int, *, num_steps: int, warmup_steps: int, peak: float, final: float = 0.0) -> float:
    """Learning rate: linear from 0 to `peak`, then half a cosine down to `final`.

    0 at step 0, `peak` at steps warmup_steps - 1 and warmup_steps, `final` from step num_steps on; the last step of a
    run, num_steps - 1, is still slightly above it (by 3e-8 in SCE's supervised baseline on K200, 13,200 steps from 1.6
    to 0.04). With a warm-up of 0 or 1 steps the first step has `peak`. SCE's peak 4.8 and 350 warm-up steps give
    0.01375 at step 1.

    Raises:
        ValueError: step below 0, num_steps below 1, warmup_steps outside [0, num_steps].
    """
    _check_at_least("step", step, 0)
    _check_at_least("num_steps", num_steps, 1)
    if not 0 <= warmup_steps <= num_steps:
        raise ValueError(f"warmup_steps is {warmup_steps}; it must be in [0, num_steps] = [0, {num_steps}]")
    if step < warmup_steps - 1:
        return peak * step / (warmup_steps - 1)
    if step < warmup_steps:
        return peak
    steps_to_final = num_steps - warmup_steps + 1  # the step after the run's last would be the first at `final`
    return ramp(step - warmup_steps, num_steps=steps_to_final, start=peak, end=final, shape="cosine")


def warmup_drops(step: int, *, warmup_steps: int, drop_steps: Sequence[int], peak: float) -> float:
    """Learning rate: linear from 0 to `peak` as in `warmup_cosine`, then divided by 10 at each of `drop_steps`.

    Raises:
        ValueError: step or warmup_steps below 0.
    """
    _check_at_least("step", step, 0)
    _check_at_least("warmup_steps", warmup_steps, 0)
    if step < warmup_steps - 1:
        return peak * step / (warmup_steps - 1)
    return peak / 10 ** sum(step >= drop for drop in drop_steps)


def ema_momentum(step: int, *, num_steps: int, start: float) -> float:
    """EMA momentum of the momentum encoder: half a cosine from `start` at step 0 to 1 at the last step.

    m = 1 - (1 - start) * (cos(pi * step / (num_steps - 1)) + 1) / 2; a run of one step has `start`. It is 1
    after the last step.

    Args:
        start: in [0, 1]; 0.99 in SCE's ImageNet and video recipes.
    Raises:
        ValueError: step below 0, num_steps below 1, start outside [0, 1].
    """
    _check_at_least("step", step, 0)
    _check_at_least("num_steps", num_steps, 1)
    if not 0 <= start <= 1:
        raise ValueError(f"start is {start}; it must be in [0, 1]")
    if step == 0:
        return start
    return ramp(step, num_steps=num_steps, start=start, end=1.0, shape="cosine")


def ramp(step: int, *, num_steps: int, start: float, end: float, shape: str) -> float:
    """Ramp from `start` at step 0 to `end` at step num_steps - 1, up or down; `end` afterwards.

    With num_steps 0 or 1 it is `end` from the first step. (The reference code's linear ramp runs backwards when
    `end` is above `start`; this one does not.)

    Args:
        shape: a key of RAMP_SHAPES, "linear" or "cosine" (slow at both ends).
    Raises:
        ValueError: step or num_steps below 0, an unknown shape.
    """
    _check_at_least("step", step, 0)
    _check_at_least("num_steps", num_steps, 0)
    if shape not in RAMP_SHAPES:
        raise ValueError(f"shape is {shape!r}; it must be one of {', '.join(RAMP_SHAPES)}")
    if step >= num_steps - 1:
        return end
    return start + (end - start) * RAMP_SHAPES[shape](step / (num_steps - 1))


def _check_at_least(name: str, value: int, bound: int) -> None:
    if value < bound:
        raise ValueError(f"{name} is {value}; it must be at least {bound}")


@dataclass(frozen=True)
class Ramp:
    """`ramp` over the first `ramp_steps` of a run of any length."""

    start: float
    end: float
    ramp_steps: int
    shape: str  # a key of RAMP_SHAPES

    def at(self, step: int, *, num_steps: int) -> float:
        return ramp(step, num_steps=self.ramp_steps, start=self.start, end=self.end, shape=self.shape)


@dataclass(frozen=True)
class RampToFinal:
    """A ramp at the start of a run, then another one from its end to `final` at the run's last step."""

    warmup: Ramp
    final: float
    shape: str  # of the second ramp

    def at(self, step: int, *, num_steps: int) -> float:
        if step < self.warmup.ramp_steps:
            return self.warmup.at(step, num_steps=num_steps)
        last_of_warmup = max(self.warmup.ramp_steps - 1, 0)
        return ramp(
            step - last_of_warmup,
            num_steps=num_steps - last_of_warmup,
            start=self.warmup.end,
            end=self.final,
            shape=self.shape,
        )


@dataclass(frozen=True)
class CosineEMA:
    """`ema_momentum` over the whole run."""

    start: float

    def at(self, step: int, *, num_steps: int) -> float:
        return ema_momentum(step, num_steps=num_steps, start=self.start)


@dataclass(frozen=True)
class ConstantEMA:
    """The same EMA momentum at every step."""

    value: float

    def at(self, step: int, *, num_steps: int) -> float:
        return self.value


# EMA momentum over a run, from its value at the first step.
EMA_SHAPES: dict[str, Callable[[float], CosineEMA | ConstantEMA]] = {"cosine": CosineEMA, "constant": ConstantEMA}


@dataclass(frozen=True)
class LearningRate:
    """`warmup_cosine` over the whole run, or `warmup_drops` if there are `drop_steps`."""

    warmup_steps: int
    peak: float
    final: float
    drop_steps: tuple[int, ...] = ()

    def at(self, step: int, *, num_steps: int) -> float:
        if self.drop_steps:
            return warmup_drops(step, warmup_steps=self.warmup_steps, drop_steps=self.drop_steps, peak=self.peak)
        return warmup_cosine(
            step, num_steps=num_steps, warmup_steps=self.warmup_steps, peak=self.peak, final=self.final
        )
