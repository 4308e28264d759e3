"""Resuming a run from its newest checkpoint, after checking that the checkpoint is of this run."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sce_video.engine.cluster.collectives import all_gathered, is_main_process
from sce_video.errors import CheckpointError, reason_of
from sce_video.models.norms import recorded_norm_numbers
from sce_video.runtime.checkpoints import DamagedError, load_checkpoint
from sce_video.runtime.logging import LOGGER, METRICS_FILE, logged_metrics
from sce_video.train.loop import Run


def resume(run: Run) -> int:
    """Load the newest checkpoint if there is one; all ranks load the one that the main process finds.

    A damaged one is skipped in favour of the one before it.

    Returns:
        Number of steps done, 0 without a checkpoint.
    Raises:
        CheckpointError: it is of another run, or none can be used.
    """
    newest = run.checkpoints.load_newest(use=partial(_load_state, run)) if is_main_process() else None
    step: int = all_gathered(0 if newest is None else newest["step"])[0]
    # A rank's view of a network disk may be stale: open this file by name, not the newest.
    if step and not is_main_process():
        _load_state(run, load_checkpoint(run.checkpoints.path(step)))
    if is_main_process():
        _log_resumed(run, step)
        if newest is not None and "config" in newest:
            _warn_if_extended(run, run.config.num_epochs_of(newest["config"]) * run.plan.steps_per_epoch, step=step)
    return step


def _load_state(run: Run, state: dict[str, Any]) -> None:
    """Load a checkpoint's state into the run.

    Raises:
        CheckpointError: it is of another run.
        DamagedError: something in it is missing or invalid.
    """
    path = run.checkpoints.path(state["step"])
    try:
        _require_same_run(run, state)
        run.model.load_state_dict(state["model"])
        _require_fitting(run.optimizer, state["optimizer"])
        run.optimizer.load_state_dict(state["optimizer"])
        _require_numbers(state["scaler"])
        run.precision.scaler.load_state_dict(state["scaler"])
        run.failures.load_state_dict(state["failures"])
        run.probes.load_state_dict(state.get("probes", {}))
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (torch.OutOfMemoryError, MemoryError):  # not the file's fault
        raise
    except Exception as error:  # torch may raise anything for invalid content
        raise DamagedError(f"checkpoint {path} does not fit this run ({reason_of(error)})") from error


def _require_same_run(run: Run, state: dict[str, Any]) -> None:
    """Compare the checkpoint's record with the run's; those of older versions have fewer entries."""
    record, plan = run.record, run.plan
    hint = "use the config of that run, or choose another RUN.OUTPUT_DIR"
    changed = run.config.changed_keys(state["config"]) if "config" in state else ""
    if changed:
        raise CheckpointError(f"the checkpoint is of a run with another value of {changed}; {hint}")
    if state["videos"] != record["videos"]:
        raise CheckpointError(f"the list of training videos has changed since the start of the run; {hint}")
    if state.get("images", "") != record.get("images", ""):
        raise CheckpointError(f"the list of images has changed since the start of the run; {hint}")
    if state.get("labels", record["labels"]) != record["labels"]:
        raise CheckpointError(f"labels of training videos have changed since the start of the run; {hint}")
    if state.get("steps_per_epoch", plan.steps_per_epoch) != plan.steps_per_epoch or state["step"] > plan.num_steps:
        raise CheckpointError(
            f"it is of step {state['step']} of a longer run; this one has {plan.num_steps} steps, "
            f"{plan.steps_per_epoch} per epoch; {hint}"
        )
    before = state.get("batch_norm") or str(recorded_norm_numbers(None, backbone=record["backbone"]))
    if before != record["batch_norm"]:  # not in state dicts, and different between versions of this toolkit
        raise CheckpointError(
            f"its batch norms have {before}, not {record['batch_norm']}; resume with the version that started the run, "
            f"or choose another RUN.OUTPUT_DIR"
        )
    _require_same_decoder(state, record)


def _require_same_decoder(state: dict[str, Any], record: dict[str, Any]) -> None:
    """Check the decoder: libraries differ in colors, some in frames."""
    before, now = state.get("decoder", record["decoder"]), record["decoder"]
    if before != now:
        raise CheckpointError(f"the run was decoded by {before} so far, not by {now}; set DATA.DECODER {before}")
    if state.get("decoder_version", record["decoder_version"]) != record["decoder_version"]:
        LOGGER.warning("videos were decoded by %s %s so far", before, state["decoder_version"])


def _require_fitting(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Raises ValueError for optimiser state that torch would load, but fail on in the next step."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbered = [[group["params"] for group in each["param_groups"]] for each in (optimizer.state_dict(), state)]
    if numbered[0] != numbered[1]:
        raise ValueError("the optimiser has other parameters, or in another order")
    for index, buffers in state["state"].items():
        for name, value in buffers.items():
            is_tensor = isinstance(value, Tensor)
            if is_tensor and (value.shape not in (parameters[index].shape, ()) or value.isnan().any()):
                raise ValueError(f"the optimiser's {name} of parameter {index} has another shape, or NaN")
            if not is_tensor and value is not None:
                _require_numbers({name: value})
    for ours, theirs in zip(optimizer.param_groups, state["param_groups"], strict=True):
        for name in ours.keys() & theirs.keys() - {"params"}:
            if isinstance(ours[name], float):
                _require_numbers({name: theirs[name]})


def _require_numbers(values: dict[str, Any]) -> None:
    for name, value in values.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name} is {value!r:.40}; it must be a finite number")


def _log_resumed(run: Run, step: int) -> None:
    """Log the checkpoint, and how many logged steps after it are redone."""
    if step:
        LOGGER.info("resumed from %s", run.checkpoints.path(step))
    logged = max((int(line["step"]) + 1 for line in logged_metrics(run.output_dir / METRICS_FILE)), default=0)
    if logged > step:
        LOGGER.warning(
            "steps after %s that are lost and will be redone, according to %s: %d",
            f"step {step}" if step else "the start (there is no checkpoint)",
            METRICS_FILE,
            logged - step,
        )


def _warn_if_extended(run: Run, steps_before: int, *, step: int) -> None:
    """Warn that a run was made longer, and how its schedules jump at this step."""
    if steps_before == run.plan.num_steps:
        return
    shorter = replace(run.schedules, num_steps=steps_before)
    last, then = shorter.at(step - 1), run.schedules.at(step)
    jumps = [f"the learning rate from {last.lr:.6g} to {then.lr:.6g}"]
    jumps += [
        f"{name} from {last.method[name]:.6g} to {value:.6g}"
        for name, value in then.method.items()
        if value != shorter.at(step).method[name]
    ]
    LOGGER.warning(
        "the run of %d steps is extended to %d: at step %d its schedules jump to those of the longer run, %s; this is "
        "not the same as a run of that length from the start",
        steps_before,
        run.plan.num_steps,
        step,
        ", ".join(jumps),
    )
