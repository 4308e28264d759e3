"""What the curves of a pretraining run mean: a verdict and a sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import mean

from sce_video.train.probes.collapse import alike_keys, collapse
from sce_video.train.probes.trend import LEAST_RECENT, Line, Trend, trend_of

# Steps after the queue is full before anything is judged: a third of the run, at most this many.
_MOST_PATIENCE = 500
_LEAST_CLIMB = 5  # lines, for an alarm before that
_MARGIN = 0.01  # of the chance level, around it
_KNOWS = 0.05  # of online kNN above the share of the largest class
_UNIFORM_TARGET = 0.95  # share of the largest entropy

ALARMS = ("diverged", "collapsed", "above chance", "at chance")


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of a run.

    `kind`: "too early", "learning", "standing still", or one of `ALARMS`. `sentence` has the numbers and what to do.
    """

    kind: str
    sentence: str

    @property
    def is_alarm(self) -> bool:
        return self.kind in ALARMS


def verdict(lines: Sequence[Line], *, num_steps: int = 0) -> Verdict | None:
    """The verdict on the lines logged so far; None without measurements of probes.

    Nothing is judged while the queue holds random vectors. For some time after that, as long as an untrained network
    may need to find a direction, only a loss that climbs far above its chance level is. Then a collapse counts first,
    then where the loss is: above its chance level, at it, or below and lower than it was.

    Args:
        lines: of `metrics.jsonl`, in order; some have the scalars of probes.
        num_steps: of the whole run; 0: it ended with the last line.
    """
    lines = [line for line in lines if "loss" in line]  # what others have written may lack it
    step, loss = (int(lines[-1]["step"]), lines[-1]["loss"]) if lines else (0, 0.0)
    if not math.isfinite(loss):
        return Verdict("diverged", f"diverged: the loss is {loss} at step {step}. {_LOWER_LR}")
    chance = next((line["loss_chance"] for line in reversed(lines) if "loss_chance" in line), None)
    if chance is None:
        return None
    filled = _full_since(lines)
    # The loss of the line in which the queue became full is a mean with steps before that.
    judged = [line for line in lines if filled is not None and (line["step"] > filled or not filled)]
    if filled is None or len(judged) < LEAST_RECENT:
        return _too_early(filled, loss, chance)
    trend, last_step = trend_of(judged, scale=chance), max(step, num_steps - 1)
    patience = min(_MOST_PATIENCE, (last_step + 1) // 3)
    if step + 1 - filled >= patience or step == last_step:
        if collapsed := collapse(judged):
            return Verdict("collapsed", collapsed)
        return _of_loss(judged, trend, chance, last_step=last_step, labels_say=_labels_say(lines))
    if len(judged) >= _LEAST_CLIMB and trend.has_climbed and trend.now > chance * (1 + _MARGIN):
        return _above(judged, trend, chance, last_step=last_step)
    return _too_early(filled, loss, chance)


_LOWER_LR = "Lower OPTIM.BASE_LR, or warm up for longer (OPTIM.WARMUP_EPOCHS)."
_SHARPER_TARGET = "The target is nearly uniform: lower METHOD.TARGET_TEMPERATURE or raise METHOD.COEFF."
_EASIER = (
    "Train for longer or with another OPTIM.BASE_LR; if that does not help, make the views more alike (AUG.CROP_AREA, "
    "AUG.COLOR_STRENGTH)."
)


def _full_since(lines: Sequence[Line]) -> int | None:
    """The step from which the queue has no random vectors; 0 without a queue, None if it still has some."""
    shares = [(int(line["step"]), line["queue_random_share"]) for line in lines if "queue_random_share" in line]
    if not shares:
        return 0
    return next((step for step, share in shares if share <= 0), None)


def _too_early(filled: int | None, loss: float, chance: float) -> Verdict:
    why = "the queue still holds random vectors" if filled is None else f"the queue is full since step {filled}"
    why = "few steps are done" if filled == 0 else why
    return Verdict("too early", f"too early to say: {why}; loss {loss:.2f}, chance level {chance:.2f}.")


def _of_loss(judged: Sequence[Line], trend: Trend, chance: float, *, last_step: int, labels_say: str) -> Verdict:
    beside = _beside(trend, chance)
    if trend.now > chance * (1 + _MARGIN):
        may_get_there = trend.at(last_step) < chance and judged[-1]["step"] < last_step
        if trend.has_fallen and not trend.rises and may_get_there:
            return Verdict("too early", f"too early to say: {beside}; it is falling, from {trend.first:.2f}.")
        return _above(judged, trend, chance, last_step=last_step)
    if trend.now > chance * (1 - _MARGIN):
        sentence = f"at chance: {beside}: the queries do not know their videos. {_advice(judged, chance, _EASIER)}"
        return Verdict("at chance", sentence)
    if trend.has_fallen:
        return Verdict("learning", f"learning its own task: {beside}, from {trend.first:.2f}. {_directions(judged)}")
    why = labels_say or ": an untrained network gets this too."
    sentence = f"standing still: {beside}, but it was {trend.first:.2f} before{why} {_directions(judged)}"
    return Verdict("standing still", sentence)


def _labels_say(lines: Sequence[Line]) -> str:
    """What is to be added if the online kNN says that the features become better all the same, else ""."""
    labelled = [line for line in lines if {"online_knn", "online_chance"} <= line.keys()]
    if len(labelled) <= LEAST_RECENT:
        return ""
    first = labelled[0]["online_knn"]
    knn, chance = (mean(line[name] for line in labelled[-LEAST_RECENT:]) for name in ("online_knn", "online_chance"))
    if knn < chance + _KNOWS or knn <= first:
        return ""
    return f"; yet online kNN rose from {first:.0%} to {knn:.0%}: the features do become better."


def _beside(trend: Trend, chance: float) -> str:
    return f"the loss is {trend.now:.2f}, its chance level {chance:.2f}"


def _above(judged: Sequence[Line], trend: Trend, chance: float, *, last_step: int) -> Verdict:
    streak = list(takewhile(lambda line: line["loss"] > chance, reversed(judged)))
    since = int(streak[-1]["step"]) if streak else int(judged[-1]["step"])
    num_steps = int(judged[-1]["step"]) - since + 1
    word, advice = _movement_above(trend, last_step=last_step, ends=judged[-1]["step"] >= last_step)
    sentence = (
        f"above chance for {num_steps} steps, {word}: {_beside(trend, chance)}: worse than similarities that are all "
        f"equal. {_advice(judged, chance, advice)}"
    )
    return Verdict("above chance", sentence)


def _movement_above(trend: Trend, *, last_step: int, ends: bool) -> tuple[str, str]:
    """What a loss above chance does, and what to do."""
    if trend.rises:
        return "diverging", _LOWER_LR
    if ends and (trend.falls or trend.has_fallen):
        return "not learned yet", "It is falling: train for longer before judging the features."
    if trend.has_fallen:
        return "falling slowly", f"At this rate it is {trend.at(last_step):.2f} in the last step. {_EASIER}"
    if trend.falls:
        again = "train for longer; if it rises again, lower OPTIM.BASE_LR."
        return "falling", f"But it is not lower than at first, {trend.first:.2f}: {again}"
    return "not learning", f"It was {trend.first:.2f} at first. {_LOWER_LR}" if trend.has_climbed else _EASIER


def _advice(judged: Sequence[Line], chance: float, otherwise: str) -> str:
    entropy = next((line["target_entropy"] for line in reversed(judged) if "target_entropy" in line), 0.0)
    is_uniform = entropy > _UNIFORM_TARGET * chance
    return alike_keys(judged) or (_SHARPER_TARGET if is_uniform else otherwise)


def _directions(judged: Sequence[Line]) -> str:
    last = next((line for line in reversed(judged) if {"key_rank", "embedding_dim"} <= line.keys()), None)
    if last is None:
        return ""
    used = f"The keys use {last['key_rank']:.1f} of {last['embedding_dim']:.0f} directions"
    labelled = [line for line in judged if {"online_knn", "online_linear", "online_chance"} <= line.keys()]
    if not labelled:
        return f"{used}. {_movement(judged)}"
    knn, linear, chance = (
        mean(line[name] for line in labelled[-LEAST_RECENT:])
        for name in ("online_knn", "online_linear", "online_chance")
    )
    said = f"{used}; online kNN {knn:.0%}, linear {linear:.0%} (the largest class is {chance:.0%})."
    return f"{said} {_movement(judged)}" if any("frozen_similarity" in line for line in judged) else said


def _movement(judged: Sequence[Line]) -> str:
    frozen = [line["frozen_similarity"] for line in judged if "frozen_similarity" in line]
    if not frozen:
        return "What the features see of a video, this does not say."
    return f"To its features a frozen clip is at {frozen[-1]:.2f} between another video (0) and the moving clip (1)."
