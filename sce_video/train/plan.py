"""Schedules of a run's scalars, and the steps at which it logs, saves and ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sce_video.methods.base import Scheduled


class Rates(NamedTuple):
    """Scheduled scalars at one step: the learning rate, and the method's by name."""

    lr: float
    method: Mapping[str, float] = {}


@dataclass(frozen=True)
class Schedules:
    """Schedules of a run of `num_steps`; `method` is empty in finetuning."""

    num_steps: int
    lr: Scheduled
    method: Mapping[str, Scheduled] = field(default_factory=dict)

    def at(self, step: int) -> Rates:
        scalars = {name: scalar.at(step, num_steps=self.num_steps) for name, scalar in self.method.items()}
        return Rates(self.lr.at(step, num_steps=self.num_steps), scalars)


@dataclass(frozen=True)
class Plan:
    """When a run logs, saves and ends, in optimiser steps.

    `checkpoint_every_*` 0 is never. `stop_at_step` above 0 ends the program there, to be resumed later.
    """

    num_steps: int
    steps_per_epoch: int
    log_every_steps: int
    checkpoint_every_steps: int
    checkpoint_every_epochs: int
    stop_at_step: int

    @property
    def last_step(self) -> int:
        """Number of steps done when this program ends."""
        return min(self.num_steps, self.stop_at_step or self.num_steps)

    def should_log(self, steps_done: int) -> bool:
        return steps_done % self.log_every_steps == 0 or steps_done == self.last_step

    def should_save(self, steps_done: int) -> bool:
        periods = (self.checkpoint_every_steps, self.checkpoint_every_epochs * self.steps_per_epoch)
        return steps_done == self.last_step or any(period and steps_done % period == 0 for period in periods)
