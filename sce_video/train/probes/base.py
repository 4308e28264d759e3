"""Base class of probes, and the probes of a run together."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sce_video.augment.batch import TrainBatch
from sce_video.errors import reason_of
from sce_video.methods.base import Method
from sce_video.runtime.logging import LOGGER
from sce_video.train.plan import Rates


class Seen(NamedTuple):
    """An optimiser step on this rank, after the update of the weights, before that of momentum encoder and queue.

    `step` counts from 0; `parts` is the batch; `method` has the gradients of the step and in `compared` the embeddings
    of its last part.
    """

    step: int
    parts: Sequence[TrainBatch]
    rates: Rates
    method: Method


class Probe(ABC):
    """Measures something of a training run.

    A probe leaves no trace in the run: it draws no random numbers from a global generator, changes no weight, gradient,
    batch-norm statistic or mode of the method, and what it keeps on the device is small. Probes are chosen in
    `build/probes.py`.
    """

    @abstractmethod
    def look(self, seen: Seen) -> None:
        """Called in every step, on every rank; waits for the device at most in the rare steps in which it measures."""

    @abstractmethod
    def read(self) -> dict[str, float]:
        """What was measured since the last call, by its name in the log; {} if nothing was.

        Called before a line is logged, on every rank in the same step: it may wait for the device and the other ranks.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run continues with; in every checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue; raises ValueError, KeyError or RuntimeError if the state does not fit, and is left unchanged."""
        raise ValueError(f"{type(self).__name__} has no state")


class Probes:
    """The probes of a run, by name; none for training on labels."""

    def __init__(self, probes: Mapping[str, Probe] | None = None) -> None:
        self._probes = dict(probes or {})

    @property
    def names(self) -> list[str]:
        return list(self._probes)

    def look(self, seen: Seen) -> None:
        for probe in self._probes.values():
            probe.look(seen)

    def read(self) -> dict[str, float]:
        """The finite scalars of all probes."""
        scalars = {name: value for probe in self._probes.values() for name, value in probe.read().items()}
        return {name: value for name, value in scalars.items() if math.isfinite(value)}

    def state_dict(self) -> dict[str, Any]:
        return {name: state for name, probe in self._probes.items() if (state := probe.state_dict())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue the probes that the state has; others, or those of other settings, start again, which is logged."""
        for name, probe in self._probes.items():
            if not probe.state_dict():
                continue
            try:
                if name not in state:
                    raise ValueError("the checkpoint has no state of it")
                probe.load_state_dict(state[name])
            except (ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
                LOGGER.info("the probe %s starts again at this step (%s)", name, reason_of(error))
