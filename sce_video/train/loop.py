"""Training loop."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from sce_video.augment.batch import Failure, TrainBatch
from sce_video.engine.cluster.collectives import all_gathered, broadcast_buffers, num_ranks, on_all_ranks
from sce_video.errors import CheckpointError, NonFiniteLossError, StoppedError
from sce_video.runtime.checkpoints import CheckpointFolder
from sce_video.runtime.logging import LOGGER, MetricsLog
from sce_video.runtime.meters import ThroughputMeter
from sce_video.runtime.progress import progress_bar
from sce_video.runtime.signals import StopSignals
from sce_video.train.pending_losses import PendingLosses
from sce_video.train.plan import Plan, Rates, Schedules
from sce_video.train.precision import Precision
from sce_video.train.probes.base import Probes
from sce_video.train.probes.watch import Watch


class Loader(Protocol):
    """Yields (epoch, parts of the batch) for each optimiser step from `step`."""

    def batches_from(self, step: int, *, num_steps: int) -> Iterator[tuple[int, list[TrainBatch]]]: ...


class Failures(Protocol):
    """Counts videos that could not be decoded, and stops the run when there are too many."""

    def __len__(self) -> int: ...

    def record(self, failures: Iterable[Failure]) -> None: ...

    def state_dict(self) -> dict[str, list[int]]: ...

    def load_state_dict(self, state: dict[str, list[int]]) -> None: ...


class TakeStep(Protocol):
    def __call__(self, parts: Sequence[TrainBatch], rates: Rates, *, step: int) -> Tensor: ...


@dataclass(frozen=True)
class ConfigRecord:
    """The config of a run as its checkpoints record it, and functions of the text that a checkpoint has.

    Attributes:
        changed_keys: keys of a recorded config that differ as they may not in a resumed run; "" if there are none.
        num_epochs_of: number of epochs in a recorded config.
    """

    text: str
    changed_keys: Callable[[str], str]
    num_epochs_of: Callable[[str], int]


@dataclass(frozen=True)
class Run:
    """All parts of a training run; its mutable state is saved in checkpoints.

    Attributes:
        task: name on the progress bar.
        take_step: makes one optimiser step and returns the loss, still on the device.
        name_video: path of a video by its index.
        record: saved in every checkpoint beside the state: versions, and what must not change when the run is resumed
            (the text of `config`, digests of `videos`, `images` and `labels`, `decoder`).
    """

    task: str
    model: nn.Module
    optimizer: Optimizer
    precision: Precision
    loader: Loader
    take_step: TakeStep
    failures: Failures
    name_video: Callable[[int], object]
    schedules: Schedules
    probes: Probes
    plan: Plan
    checkpoints: CheckpointFolder
    output_dir: Path
    record: dict[str, Any]
    config: ConfigRecord


def train(run: Run, *, step: int) -> bool:
    """Train to the plan's last step.

    Args:
        step: number of steps already done, as `resume` returns it.
    Returns:
        Whether the run is complete; False after a stop at `stop_at_step`.
    Raises:
        StoppedError: after a signal; the current step was finished and saved.
    """
    plan = run.plan
    pending, meter = PendingLosses(run.name_video), ThroughputMeter()
    run.model.train()
    with (
        StopSignals() as signals,
        MetricsLog(run.output_dir, start_step=step) as log,
        progress_bar(total=plan.num_steps, initial=step, description=run.task, unit="step", has_own_speed=True) as bar,
    ):
        watch = Watch(log.kept, num_steps=plan.num_steps)
        batches = run.loader.batches_from(step, num_steps=plan.last_step)
        failures: list[Failure] = []
        for epoch, parts in meter.waiting_for(batches):
            failures += [failure for part in parts for failure in part.failures]
            if num_ranks() == 1:
                run.failures.record(failures)
            rates = run.schedules.at(step)
            loss = run.take_step(parts, rates, step=step)
            pending.add(step, loss, lr=rates.lr, videos=[video for part in parts for video in part.videos])
            meter.add_clips(num_ranks() * sum(len(part.videos) * len(part.views) for part in parts))
            step += 1
            bar.update()
            stopped_by = signals.agreed()
            should_save = plan.should_save(step) or bool(stopped_by)
            if plan.should_log(step) or should_save:  # the only synchronisation with the device
                run.failures.record(failure for of_rank in all_gathered(failures) for failure in of_rank)
                failures = []
                scalars = _scalars(watch.mean_of(pending, log), epoch, rates, meter, run) | run.probes.read()
                log.write(step - 1, scalars)
                watch.add(step - 1, scalars)
                _show(bar, scalars, watch.alarm)
                meter.reset()
            if should_save:
                _require_finite(run.model, step, rates)
                _save(run, step, is_last=bool(stopped_by) or step == plan.last_step)
            if stopped_by:
                raise StoppedError(stopped_by, step=step)
        if stopped_by := signals.agreed():  # the signal came while the last step was saved
            raise StoppedError(stopped_by, step=step)
    broadcast_buffers(run.model)
    if plan.last_step < plan.num_steps:
        LOGGER.info("stopped at TRAIN.STOP_AT_STEP %d of %d steps", plan.last_step, plan.num_steps)
    return plan.last_step == plan.num_steps


def _require_finite(model: nn.Module, step: int, rates: Rates) -> None:
    """Check the weights before a checkpoint: a finite loss can give a non-finite update."""
    values = list(model.state_dict().values())
    if not on_all_ranks(all(torch.isfinite(value).all() for value in values), device=values[0].device):
        raise NonFiniteLossError(
            f"the weights are not finite after step {step - 1} with learning rate {rates.lr:.6g}; lower OPTIM.BASE_LR "
            f"or change TRAIN.PRECISION; older checkpoints are kept"
        )


def _scalars(loss: float, epoch: int, rates: Rates, meter: ThroughputMeter, run: Run) -> dict[str, float]:
    scaler, speed = run.precision.scaler, meter.read()
    speed["data_wait_share"] = max(all_gathered(speed["data_wait_share"]))  # the slowest rank delays all
    return {
        "loss": loss,
        "epoch": epoch,
        "num_steps": run.plan.num_steps,
        "lr": rates.lr,
        **rates.method,
        **speed,
        **({"loss_scale": scaler.get_scale()} if scaler.is_enabled() else {}),
        "failed_videos": len(run.failures),
    }


def _show(bar: "tqdm[Any]", scalars: dict[str, float], alarm: str) -> None:
    """Args: alarm: what is wrong with the run, or ""."""
    speed = f"{scalars['clips_per_second']:.1f} clips/s, wait {scalars['data_wait_share']:.0%}"
    bar.set_postfix_str(f"{alarm.upper()}{', ' if alarm else ''}loss {scalars['loss']:.3f}, {speed}")


def _save(run: Run, step: int, *, is_last: bool) -> None:
    """Write a checkpoint; if that fails, log an error, or raise it if this is the last one.

    Raises:
        CheckpointError: it could not be written, and the run ends at this step.
    """
    state = {
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "scaler": run.precision.scaler.state_dict(),
        "failures": run.failures.state_dict(),
        "probes": run.probes.state_dict(),
        "steps_per_epoch": run.plan.steps_per_epoch,
        **run.record,
    }
    problem = ""
    try:
        run.checkpoints.save(step, state)
    except OSError as error:
        problem = str(error)
    problem = all_gathered(problem)[0]
    if not problem:
        return
    line = f"the checkpoint of step {step} cannot be written ({problem}); older ones are kept"
    if is_last:
        raise CheckpointError(f"{line}; fix this and rerun to resume")
    LOGGER.error("%s; the run continues", line)
