"""Curves of runs that were seen, and curves made by hand."""

import math
from collections.abc import Sequence

import pytest

from sce_video.train.probes.verdict import Line, verdict

CHANCE = math.log(1 + 256)  # 5.55


def lines(losses: Sequence[float], *, every: int = 10, chance: float = CHANCE, **more: float) -> list[Line]:
    """A line every 10 steps, all with measurements of a queue that is full from the start."""
    healthy = {"key_rank": 12.0, "key_std": 0.125, "embedding_dim": 64.0, "target_entropy": 3.0}
    return [
        {"step": every * (i + 1) - 1, "loss": loss, "loss_chance": chance, **healthy, **more}
        for i, loss in enumerate(losses)
    ]


def kind_of(*args, **kwargs) -> str:
    found = verdict(*args, **kwargs)
    assert found is not None
    return found.kind


def test_the_run_that_was_seen() -> None:
    """Losses 6.6, 8.8, 7.2 with a queue of 256, whose chance level is 5.55."""
    found = verdict(lines([6.6, 8.8, 7.2]))
    assert found is not None
    assert found.is_alarm
    assert found.since == 9
    assert found.sentence.startswith(
        "above chance for 21 steps, diverging: the loss is 7.53, its chance level 5.55: worse than similarities that "
        "are all equal. Lower OPTIM.BASE_LR"
    )


# Losses of the demo's configs, 510 steps, every 40 steps (docs/results.md, "Six methods").
SEEN = {
    "sce": (6.93, [7.83, 7.90, 7.19, 7.06, 6.80, 6.57, 6.35, 6.41, 6.11, 6.10, 6.03, 6.24, 6.08]),
    "moco_v2": (6.93, [7.07, 6.74, 6.44, 6.09, 5.85, 5.71, 5.86, 5.68, 5.70, 5.70, 5.81, 5.96, 5.89]),
    "ressl": (6.93, [7.66, 7.45, 6.91, 6.80, 6.62, 6.88, 6.59, 6.45, 6.50, 6.33, 6.34, 6.39, 6.43]),
    "simclr": (4.14, [5.12, 5.21, 4.63, 4.17, 3.82, 3.22, 3.20, 3.05, 2.74, 2.56, 2.55, 2.70, 2.59]),
    "moco_v3": (2.77, [2.94, 2.78, 2.71, 2.59, 2.37, 2.24, 2.09, 1.96, 1.96, 1.78, 1.76, 1.80, 1.77]),
    "byol": (4.00, [3.99, 3.12, 2.18, 1.18, 0.62, 0.39, 0.37, 0.24, 0.24, 0.27, 0.30]),
}


@pytest.mark.parametrize("name", SEEN)
def test_no_alarm_at_any_time_in_runs_that_learned(name: str) -> None:
    """Several stood above chance for a quarter of their steps."""
    chance, losses = SEEN[name]
    logged = lines(losses, every=40, chance=chance)
    kinds = [kind_of(logged[: end + 1], num_steps=510) for end in range(len(logged))]
    assert set(kinds[:4]) == {"too early"}
    assert set(kinds) == {"too early", "learning"}
    assert kinds[-1] == "learning"


def test_nothing_is_judged_while_the_queue_is_random() -> None:
    """The loss is far below chance as long as the queue holds random vectors, then rises: no alarm, and no success."""
    filling = [
        {**line, "queue_random_share": share}
        for line, share in zip(lines([2.0, 2.5, 4.5, 5.4]), [0.9, 0.6, 0.3, 0.0], strict=True)
    ]
    assert [kind_of(filling[: end + 1]) for end in range(3)] == ["too early"] * 3
    found = verdict([*filling, *lines([5.4, 5.3, 5.0, 4.5, 4.2, 4.0])], num_steps=1000)
    assert found is not None
    assert found.sentence == "too early to say: the queue is full since step 39; loss 4.00, chance level 5.55."


def test_a_run_that_ended_before_it_could_be_judged() -> None:
    """The queue was full for two of its lines."""
    shares = zip(lines([7.3, 6.8, 6.9]), [0.4, 0.0, 0.0], strict=True)
    found = verdict([{**line, "queue_random_share": share} for line, share in shares])
    assert found is not None
    assert found.sentence == "too early to say: the queue is full since step 19; loss 6.90, chance level 5.55."


def test_at_chance_and_a_target_without_information() -> None:
    at_chance = verdict(lines([5.55] * 20))
    uniform = verdict(lines([5.55] * 20, target_entropy=5.5))
    assert at_chance is not None
    assert uniform is not None
    assert at_chance.kind == uniform.kind == "at chance"
    assert "Train for longer or with another OPTIM.BASE_LR" in at_chance.sentence
    assert "lower METHOD.TARGET_TEMPERATURE" in uniform.sentence


def test_above_chance_and_level_is_not_called_diverging() -> None:
    found = verdict(lines([6.5, 6.6, 6.5, 6.4, 6.5, 6.6, 6.5, 6.4]))
    assert found is not None
    assert found.sentence.startswith("above chance for 71 steps, not learning: the loss is 6.50")


def test_above_chance_and_falling_is_too_early_until_the_end() -> None:
    falling = lines([8.0, 7.8, 7.6, 7.4, 7.2, 7.0, 6.8])
    assert kind_of(falling, num_steps=100) == "too early"
    ended = verdict(falling)
    assert ended is not None
    assert ended.sentence.startswith("above chance for 61 steps, not learned yet: the loss is 7.00")
    assert "train for longer" in ended.sentence


@pytest.mark.parametrize("how", [{"key_std": 0.012}, {"key_rank": 1.4}])
def test_collapsed_since_the_first_of_the_last_measurements(how: dict[str, float]) -> None:
    """Uniform vectors of 64 dimensions have 0.125; the loss alone looks like success."""
    healthy, collapsed = lines([5.0] * 20), lines([4.0] * 40, **how)[20:]
    found = verdict([*healthy, *collapsed])
    assert found is not None
    assert found.kind == "collapsed"
    assert found.since == 209
    assert found.sentence.startswith("collapsed since step 209: ")
    assert kind_of([*collapsed, *({**line, "step": line["step"] + 400} for line in healthy)]) != "collapsed"


def test_a_loss_that_is_not_finite() -> None:
    found = verdict([*lines([5.0]), {"step": 17, "loss": float("nan")}], num_steps=1000)
    assert found is not None
    assert found.is_alarm
    assert found.sentence == (
        "diverged: the loss is nan at step 17. Lower OPTIM.BASE_LR, or warm up for longer (OPTIM.WARMUP_EPOCHS)."
    )


def test_below_chance_but_no_lower_than_before() -> None:
    """As of a network that was trained before, or of a random one: neither success nor alarm."""
    found = verdict(lines([4.0] * 30))
    assert found is not None
    assert found.kind == "standing still"
    assert not found.is_alarm


def test_labels_are_part_of_the_sentence() -> None:
    """The mean of the last three lines."""
    falling = lines([5.5 - 0.1 * i for i in range(20)])
    labelled = [
        {**line, "online_knn": 0.01 * i, "online_linear": 0.02 * i, "online_chance": 0.125}
        for i, line in enumerate(falling)
    ]
    found = verdict(labelled)
    assert found is not None
    assert found.sentence.endswith("directions; online kNN 18%, linear 36% (the largest class is 12%).")


def test_lines_of_others_may_lack_anything() -> None:
    whole = [*lines([5.55] * 20), {"step": 300}]
    for name in ("loss", "key_std", "key_rank", "embedding_dim", "target_entropy"):
        found = verdict([{key: value for key, value in line.items() if key != name} for line in whole])
        assert name == "loss" or (found is not None and found.kind == "at chance")


def test_without_measurements_there_is_no_verdict() -> None:
    assert verdict([{"step": 9, "loss": 4.0}]) is None
    assert verdict([]) is None
