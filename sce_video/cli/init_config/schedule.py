"""Batch, epochs, queue, momentum encoder, learning rate: what depends on the number of videos and of steps."""

import math
from collections.abc import Callable

from sce_video.cli.init_config.choice import Choice, power_of_two
from sce_video.cli.init_config.facts import Facts, Machine

_MOST_QUEUE_STEPS = 64  # as in the paper: 65,536 keys, 2 x 512 of them new in each step
# Optimiser steps of a whole run: several times the demo's, or some nights of a GPU.
_STEPS_ON_CPU, _STEPS_ON_GPU = 2000, 20_000
_EPOCHS_ON_CPU, _EPOCHS_ON_GPU = (2, 400), (20, 400)
_FEWEST_EPOCHS_WITH_WARMUP = 5
_MOST_CPU_BATCH, _MOST_GPU_BATCH = 32, 256
_LEAST_BATCH, _LEAST_USEFUL_BATCH = 2, 8
_ADAMW_PEAK = 0.002


def choose_batch(facts: Facts, machine: Machine, most_videos: Callable[[], int]) -> Choice:
    """
    Args:
        most_videos: that fit the GPU's memory; called only if there is one.
    """
    most, why, warning = _MOST_CPU_BATCH, "more are slow on a CPU", ""
    if machine.gpu_gib is not None:
        most, why, warning = _batch_of_memory(machine.gpu_gib, most_videos(), facts.noun)
    half = power_of_two(facts.num_usable / 2)
    if half < _LEAST_BATCH:
        most, why = _LEAST_BATCH, "the least there is"
    elif half < most:
        most, why = half, f"at most half of the {facts.noun}s, so that batches differ"
    per_epoch = facts.num_videos // most
    reason = f"{per_epoch:,} step{'s' * (per_epoch != 1)} an epoch; {why}"
    return Choice("TRAIN.GLOBAL_BATCH_SIZE", most, reason, warning)


def _batch_of_memory(gpu_gib: float, num_fitting: int, noun: str) -> tuple[int, str, str]:
    """The largest batch, why, and a warning if it is too small to learn from."""
    if num_fitting >= _MOST_GPU_BATCH:
        return _MOST_GPU_BATCH, "a larger one gains little here", ""
    estimate = f"{gpu_gib:.3g} GiB hold, as estimated by tools/describe.py"
    batch = max(power_of_two(num_fitting), _LEAST_BATCH)
    why = f"the most that {estimate}" if batch <= num_fitting else f"the least there is, though more than {estimate}"
    if num_fitting >= _LEAST_USEFUL_BATCH:
        return batch, why, ""
    held = f"{num_fitting} {noun}{'s' * (num_fitting != 1)}"
    warning = (
        f"{gpu_gib:.3g} GiB hold {held} of a training step, as estimated by tools/describe.py; fewer than "
        f"{_LEAST_USEFUL_BATCH} teach little, as the {noun}s of a batch are contrasted. Take a larger GPU, a smaller "
        "MODEL.BACKBONE or a lower CLIP.SIZE_PIXELS."
    )
    return batch, why, warning


def choose_epochs(steps_per_epoch: int, machine: Machine) -> Choice:
    wanted, (least, most) = (
        (_STEPS_ON_CPU, _EPOCHS_ON_CPU) if machine.gpu_gib is None else (_STEPS_ON_GPU, _EPOCHS_ON_GPU)
    )
    epochs = min(max(round(wanted / steps_per_epoch), least), most)
    num_steps = epochs * steps_per_epoch
    why = f"{num_steps:,} steps in all; about {wanted:,} are wanted, in {least} to {most} epochs"
    return Choice("TRAIN.NUM_EPOCHS", epochs, why)


def choose_method(facts: Facts, batch: int, num_steps: int) -> list[Choice]:
    return [*_queue(facts, batch), _ema_momentum(num_steps)]


def _queue(facts: Facts, batch: int) -> list[Choice]:
    keys_per_step = 2 * batch
    length = min(power_of_two(facts.num_usable), _MOST_QUEUE_STEPS * keys_per_step)
    if length < 2 * keys_per_step:  # hardly more than the step before
        why = f"none: for {facts.num_usable:,} {facts.noun}s it would hold little but older keys of the same ones"
        chance = f"the others of the batch instead; the loss of chance is log({batch}) = {math.log(batch):.2f}"
        return [Choice("METHOD.QUEUE_LENGTH", 0, why), Choice("METHOD.IN_BATCH_KEYS", True, chance)]
    num_steps, num_epochs = length // keys_per_step, length / (2 * facts.num_usable)
    limit = f"in a longer queue a {facts.noun} meets its own old keys"
    if num_steps == _MOST_QUEUE_STEPS:
        limit = "as many steps as in the paper"
    chance = f"the loss of chance is log(1 + {length}) = {math.log(1 + length):.2f}"
    why = f"keys of the last {num_steps} steps, at most {num_epochs:.2g} epochs old: {limit}; {chance}"
    return [Choice("METHOD.QUEUE_LENGTH", length, why)]


def _ema_momentum(num_steps: int) -> Choice:
    momentum = round(min(0.99, max(0.9, 1 - 50 / num_steps)), 3)
    lag = round(1 / (1 - momentum))
    why = f"the momentum encoder averages about {lag} of {num_steps:,} steps; the paper's 0.99 is for some 100,000"
    return Choice("METHOD.EMA_MOMENTUM", momentum, why)


def choose_optimiser(batch: int, epochs: int) -> list[Choice]:
    warmup = max(1, round(epochs / 20)) if epochs >= _FEWEST_EPOCHS_WITH_WARMUP else 0
    peak = min(0.016 * batch / 256, _ADAMW_PEAK)
    base = float(f"{peak * 256 / batch:.3g}")
    return [
        Choice("OPTIM.NAME", "adamw", "LARS, the paper's, is for large batches"),
        Choice("OPTIM.BASE_LR", base, f"times {batch} / 256: {base * batch / 256:.3g}. Halve it if the loss jumps"),
        Choice("OPTIM.WARMUP_EPOCHS", warmup, "a twentieth of the epochs" if warmup else "one of so few would be long"),
        Choice("OPTIM.WEIGHT_DECAY", 1e-4),
    ]


def choose_computation(facts: Facts, machine: Machine) -> list[Choice]:
    if machine.gpu_gib is not None:
        return [Choice("TRAIN.PRECISION", "fp16", "as in the paper, for a GPU")]
    order = Choice("TRAIN.SPEED", "channels_last", "quicker on a CPU; the same but for rounding")
    return [Choice("TRAIN.PRECISION", "fp32", "there is no GPU"), *([] if facts.is_image else [order])]
