"""What the curves of a pretraining run mean: a verdict and a sentence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import mean

Line = Mapping[str, float]  # of metrics.jsonl

# Steps after the queue is full before anything is judged: a third of the run, at most this many.
_MOST_PATIENCE = 500
_RECENT_SHARE, _LEAST_RECENT = 0.2, 3  # of the logged lines, averaged
_MARGIN = 0.01  # of the chance level, around it
_FALLEN = 0.03  # of the chance level: less may be noise
# Spread of the keys, as a share of that of uniform vectors, and their rank, below which they are one point or one line.
_COLLAPSED_SPREAD, _COLLAPSED_RANK = 0.1, 1.5
_UNIFORM_TARGET = 0.95  # share of the largest entropy

ALARMS = ("diverged", "collapsed", "above chance", "at chance")


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of a run.

    `kind`: "too early", "learning", "standing still", or one of `ALARMS`. `sentence` has the numbers and what to do.
    `since`: the step with which an alarm began.
    """

    kind: str
    sentence: str
    since: int | None = None

    @property
    def is_alarm(self) -> bool:
        return self.kind in ALARMS


def verdict(lines: Sequence[Line], *, num_steps: int = 0) -> Verdict | None:
    """The verdict on the lines logged so far; None without measurements of probes.

    Nothing is judged while the queue holds random vectors and for some time after that, as long as an untrained network
    may need to find a direction. Then a collapse counts first, then where the loss is: above its chance level, at it,
    or below and lower than it was.

    Args:
        lines: of `metrics.jsonl`, in order; some have the scalars of probes.
        num_steps: of the whole run; 0: it ended with the last line.
    """
    lines = [line for line in lines if "loss" in line]  # what others have written may lack it
    step, loss = (int(lines[-1]["step"]), lines[-1]["loss"]) if lines else (0, 0.0)
    if not math.isfinite(loss):
        return Verdict("diverged", f"diverged: the loss is {loss} at step {step}. {_LOWER_LR}", step)
    chance = next((line["loss_chance"] for line in reversed(lines) if "loss_chance" in line), None)
    if chance is None:
        return None
    filled = _full_since(lines)
    judged = [line for line in lines if filled is not None and line["step"] >= filled]
    ends = step + 1 >= num_steps
    patience = min(_MOST_PATIENCE, (num_steps or step + 1) // 3)
    if filled is None or len(judged) < _LEAST_RECENT or (step + 1 - filled < patience and not ends):
        return _too_early(filled, loss, chance)
    return _collapse(judged) or _of_loss(judged, chance, ends=ends)


_LOWER_LR = "Lower OPTIM.BASE_LR, or warm up for longer (OPTIM.WARMUP_EPOCHS)."
_MORE_SPREAD = (
    "Lower OPTIM.BASE_LR, raise METHOD.EMA_MOMENTUM, lower METHOD.TARGET_TEMPERATURE, or let the projector end with a "
    "norm (MODEL.PROJECTOR_ENDS_WITH_NORM), whichever the method has."
)
_SHARPER_TARGET = "The target is nearly uniform: lower METHOD.TARGET_TEMPERATURE or raise METHOD.COEFF."
_EASIER = (
    "Train for longer or with another OPTIM.BASE_LR; if that does not help, make the views more alike (AUG.CROP_AREA, "
    "AUG.COLOR_STRENGTH)."
)
_WHEN_ABOVE = {
    "diverging": _LOWER_LR,
    "not learning": _EASIER,
    "not learned yet": "It is falling: train for longer before judging the features.",
}


def _full_since(lines: Sequence[Line]) -> int | None:
    """The step from which the queue has no random vectors; 0 without a queue, None if it still has some."""
    shares = [(int(line["step"]), line["queue_random_share"]) for line in lines if "queue_random_share" in line]
    if not shares:
        return 0
    return next((step for step, share in shares if share <= 0), None)


def _too_early(filled: int | None, loss: float, chance: float) -> Verdict:
    why = "the queue still holds random vectors" if filled is None else f"the queue is full since step {filled}"
    return Verdict("too early", f"too early to say: {why}; loss {loss:.2f}, chance level {chance:.2f}.")


def _collapse(judged: Sequence[Line]) -> Verdict | None:
    measured = [line for line in judged if {"key_std", "key_rank", "embedding_dim"} <= line.keys()]
    streak = list(takewhile(_is_collapsed, reversed(measured)))
    if not streak:
        return None
    last, since = streak[0], int(streak[-1]["step"])
    sentence = (
        f"collapsed since step {since}: the keys of all videos are nearly the same or on one line (spread "
        f"{_spread(last):.1%} of that of uniform vectors, effective rank {last['key_rank']:.1f} of "
        f"{last['embedding_dim']:.0f}). {_MORE_SPREAD}"
    )
    return Verdict("collapsed", sentence, since)


def _is_collapsed(line: Line) -> bool:
    return line["embedding_dim"] > 1 and (_spread(line) < _COLLAPSED_SPREAD or line["key_rank"] < _COLLAPSED_RANK)


def _spread(line: Line) -> float:
    return line["key_std"] * math.sqrt(line["embedding_dim"])


def _of_loss(judged: Sequence[Line], chance: float, *, ends: bool) -> Verdict:
    recent = max(_LEAST_RECENT, round(_RECENT_SHARE * len(judged)))
    early = max(1, min(_LEAST_RECENT, len(judged) // 3))
    first, now = (mean(line["loss"] for line in part) for part in (judged[:early], judged[-recent:]))
    has_fallen = now < first - _FALLEN * chance
    beside = f"the loss is {now:.2f}, its chance level {chance:.2f}"
    if now > chance * (1 + _MARGIN):
        if has_fallen and not ends:
            return Verdict("too early", f"too early to say: {beside}; it is falling, from {first:.2f}.")
        trend = "not learned yet" if has_fallen else "diverging" if now > first + _FALLEN * chance else "not learning"
        return _above(judged, beside, chance, trend=trend)
    if now > chance * (1 - _MARGIN):
        sentence = f"at chance: {beside}: the queries do not know their videos. {_advice(judged, chance, _EASIER)}"
        return Verdict("at chance", sentence, int(judged[0]["step"]))
    if has_fallen:
        return Verdict("learning", f"learning its own task: {beside}, from {first:.2f}. {_directions(judged)}")
    sentence = f"standing still: {beside}, but it was {first:.2f} before: an untrained network gets this too."
    return Verdict("standing still", f"{sentence} {_directions(judged)}")


def _above(judged: Sequence[Line], beside: str, chance: float, *, trend: str) -> Verdict:
    streak = list(takewhile(lambda line: line["loss"] > chance, reversed(judged)))
    since = int(streak[-1]["step"]) if streak else int(judged[-1]["step"])
    num_steps = int(judged[-1]["step"]) - since + 1
    advice = _advice(judged, chance, _WHEN_ABOVE[trend])
    sentence = f"above chance for {num_steps} steps, {trend}: {beside}: worse than similarities that are all equal."
    return Verdict("above chance", f"{sentence} {advice}", since)


def _advice(judged: Sequence[Line], chance: float, otherwise: str) -> str:
    entropy = next((line["target_entropy"] for line in reversed(judged) if "target_entropy" in line), 0.0)
    return _SHARPER_TARGET if entropy > _UNIFORM_TARGET * chance else otherwise


def _directions(judged: Sequence[Line]) -> str:
    last = next((line for line in reversed(judged) if {"key_rank", "embedding_dim"} <= line.keys()), None)
    if last is None:
        return ""
    used = f"The keys use {last['key_rank']:.1f} of {last['embedding_dim']:.0f} directions"
    labelled = [line for line in judged if {"online_knn", "online_linear", "online_chance"} <= line.keys()]
    if not labelled:
        return f"{used}. {_movement(judged)}"
    knn, linear, chance = (
        mean(line[name] for line in labelled[-_LEAST_RECENT:])
        for name in ("online_knn", "online_linear", "online_chance")
    )
    said = f"{used}; online kNN {knn:.0%}, linear {linear:.0%} (the largest class is {chance:.0%})."
    return f"{said} {_movement(judged)}" if any("frozen_similarity" in line for line in judged) else said


def _movement(judged: Sequence[Line]) -> str:
    frozen = [line["frozen_similarity"] for line in judged if "frozen_similarity" in line]
    if not frozen:
        return "What the features see of a video, this does not say."
    return f"To its features a frozen clip is at {frozen[-1]:.2f} between another video (0) and the moving clip (1)."
