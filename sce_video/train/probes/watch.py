"""Says in the log, while a run trains, what its curves mean."""

import logging
import math
from collections.abc import Mapping, Sequence
from statistics import mean

from sce_video.errors import NonFiniteLossError
from sce_video.runtime.logging import LOGGER, TEXT_FILE_ONLY, MetricsLog
from sce_video.train.pending_losses import PendingLosses
from sce_video.train.probes.verdict import Line, Verdict, verdict


class Watch:
    """Judges a run after each line with measurements, and logs the verdict when it changes, and at the end.

    At the end of an epoch the line is in `run.log` alone.

    Args:
        lines: of `metrics.jsonl` so far.
        num_steps: of the whole run.
    """

    def __init__(self, lines: Sequence[Line], *, num_steps: int) -> None:
        self._lines = list(lines)
        self._num_steps = num_steps
        self._latest: Verdict | None = None
        self._epoch = lines[-1].get("epoch", 0) if lines else 0

    @property
    def alarm(self) -> str:
        """The kind of the latest verdict if that is an alarm, else ""."""
        return self._latest.kind if self._latest is not None and self._latest.is_alarm else ""

    def mean_of(self, pending: PendingLosses, log: MetricsLog) -> float:
        """The mean loss to log. If one is not finite, those up to it are logged before the error is raised."""
        try:
            return pending.mean()
        except NonFiniteLossError as error:
            *before, (step, loss) = error.losses
            if before:
                log.write(before[-1][0], {"loss": mean(value for _, value in before)})
            log.write(step, {"loss": loss})
            self.add(step, {"loss": loss})
            raise

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a line of the log."""
        self._lines.append({"step": step, **scalars})
        ends = step + 1 >= self._num_steps
        if not (ends or "loss_chance" in scalars or not math.isfinite(scalars["loss"])):
            return
        latest = verdict(self._lines, num_steps=self._num_steps)
        if latest is None:
            return
        before, self._latest = self._latest, latest
        is_new = before is None or before.kind != latest.kind
        is_next_epoch, self._epoch = scalars.get("epoch", self._epoch) != self._epoch, scalars.get("epoch", self._epoch)
        if is_new or ends or is_next_epoch:
            level = logging.WARNING if latest.is_alarm else logging.INFO
            extra = {} if is_new or ends else TEXT_FILE_ONLY
            LOGGER.log(level, "step %d, is it learning? %s", step, latest.sentence, extra=extra)
