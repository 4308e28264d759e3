"""The scalars of a run, as functions of the optimiser step."""

from dataclasses import dataclass
from typing import NamedTuple

from sce_video.methods.sce import SCERates
from sce_video.optim.schedules import ema_momentum, ramp, warmup_cosine


class Rates(NamedTuple):
    """Every scheduled scalar at one step; `method` is None where nothing but the learning rate moves."""

    lr: float
    method: SCERates | None


class Ramp(NamedTuple):
    """From `start` to `end` over the first steps, the last of which has `end`, as all later ones."""

    start: float
    end: float
    num_steps: int
    shape: str  # a key of RAMP_SHAPES

    def at(self, step: int) -> float:
        return ramp(step, num_steps=self.num_steps, start=self.start, end=self.end, shape=self.shape)


@dataclass(frozen=True)
class LearningRate:
    """Warm-up, then a cosine from `peak` to `final`."""

    num_steps: int
    warmup_steps: int
    peak: float
    final: float

    def at(self, step: int) -> float:
        return warmup_cosine(
            step, num_steps=self.num_steps, warmup_steps=self.warmup_steps, peak=self.peak, final=self.final
        )


@dataclass(frozen=True)
class FinetuneSchedules:
    """The learning rate alone."""

    lr: LearningRate

    def at(self, step: int) -> Rates:
        return Rates(lr=self.lr.at(step), method=None)


@dataclass(frozen=True)
class PretrainSchedules:
    """Learning rate, EMA momentum by cosine over the whole run, ramps of the method's scalars."""

    lr: LearningRate
    ema_momentum_start: float
    coeff: Ramp
    temperature: Ramp
    target_temperature: Ramp

    def at(self, step: int) -> Rates:
        return Rates(
            lr=self.lr.at(step),
            method=SCERates(
                coeff=self.coeff.at(step),
                temperature=self.temperature.at(step),
                target_temperature=self.target_temperature.at(step),
                ema_momentum=ema_momentum(step, num_steps=self.lr.num_steps, start=self.ema_momentum_start),
            ),
        )


Schedules = PretrainSchedules | FinetuneSchedules


@dataclass(frozen=True)
class Plan:
    """When a run logs, saves and ends; all in optimiser steps.

    `checkpoint_every_*` 0 is never. A run that has `stop_at_step` above 0 ends there, to be gone on with later. One
    that `stops_if_not_saved` ends when a checkpoint cannot be written.
    """

    num_steps: int
    steps_per_epoch: int
    log_every_steps: int
    checkpoint_every_steps: int
    checkpoint_every_epochs: int
    stop_at_step: int
    stops_if_not_saved: bool

    @property
    def last_step(self) -> int:
        """The step count at which this start of the program ends."""
        return min(self.num_steps, self.stop_at_step or self.num_steps)

    def should_log(self, steps_done: int) -> bool:
        return steps_done % self.log_every_steps == 0 or steps_done == self.last_step

    def should_save(self, steps_done: int) -> bool:
        periods = (self.checkpoint_every_steps, self.checkpoint_every_epochs * self.steps_per_epoch)
        return steps_done == self.last_step or any(period and steps_done % period == 0 for period in periods)
