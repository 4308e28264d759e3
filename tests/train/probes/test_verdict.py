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
    assert found.sentence.startswith(
        "above chance for 21 steps, not learning: the loss is 7.53, its chance level 5.55: worse than similarities "
        "that are all equal. Train for longer or with another OPTIM.BASE_LR"
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


def test_too_early_without_a_queue() -> None:
    found = verdict(lines([3.0, 3.2]), num_steps=1000)
    assert found is not None
    assert found.sentence == "too early to say: few steps are done; loss 3.20, chance level 5.55."


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


def test_above_chance_and_falling_is_too_early_if_it_can_get_there() -> None:
    """0.02 per step, from 7.00 at step 59 on: chance, 5.55, in step 132."""
    falling = lines([8.0, 7.8, 7.6, 7.4, 7.2, 7.0, 6.8])
    assert kind_of(falling, num_steps=134) == "too early"
    slow = verdict(falling, num_steps=131)
    assert slow is not None
    assert slow.sentence.startswith("above chance for 61 steps, falling slowly: the loss is 7.00")
    assert "At this rate it is 5.58 in the last step." in slow.sentence
    ended = verdict(falling)
    assert ended is not None
    assert ended.sentence.startswith("above chance for 61 steps, not learned yet: the loss is 7.00")
    assert "train for longer" in ended.sentence


def test_a_loss_that_falls_slowly_far_above_chance_is_an_alarm_long_before_the_end() -> None:
    logged = lines([11.0 - 2 * i / 49 for i in range(50)], every=20)
    kinds = [kind_of(logged[: end + 1], num_steps=1000) for end in range(50)]
    assert kinds == ["too early"] * 16 + ["above chance"] * 34


def test_a_loss_that_climbs_is_an_alarm_at_once_and_stays_one_when_it_falls_a_little() -> None:
    """From 6.6 to 8.8 and back to 7.2; a run of 1,000 steps is otherwise judged from step 333 on."""
    logged = lines([6.6 + 2.2 * i / 9 for i in range(10)] + [8.8 - 0.16 * i for i in range(1, 11)], every=20)
    found = [verdict(logged[: end + 1], num_steps=1000) for end in range(20)]
    assert [each is not None and each.is_alarm for each in found] == [False] * 5 + [True] * 15
    trends = [each.sentence.split(": ")[0].split(", ")[1] for each in found[5:] if each is not None]
    assert trends == ["diverging"] * 5 + ["not learning"] * 4 + ["falling"] * 6


def test_a_noisy_rise_at_the_begin_is_no_alarm() -> None:
    """Lines of one step each of a small batch, as they were seen."""
    seen = [5.0, 5.9, 6.7, 5.7, 5.9, 8.3, 7.7, 5.6, 7.2, 7.4]
    assert {kind_of(lines(seen[:end], every=1), num_steps=60) for end in range(1, 11)} == {"too early"}


def test_a_loss_that_falls_is_not_diverging_because_it_was_lower_at_first() -> None:
    found = verdict(lines([6.3, 6.2, 6.3, 8.4, 8.3, 8.1, 7.9, 7.7, 7.5, 7.3, 7.2, 7.1]), num_steps=300)
    assert found is not None
    assert found.sentence.startswith("above chance for 111 steps, not learning: the loss is 7.20")


def test_a_loss_that_fell_and_rises_now_is_diverging() -> None:
    found = verdict(lines([9.0, 8.5, 8.0, 7.5, 7.0, 6.5, 6.0, 6.0, 6.0, 6.5, 7.0, 7.5]), num_steps=300)
    assert found is not None
    assert "diverging: the loss is 7.00" in found.sentence


def test_keys_that_are_alike_are_said_with_both_similarities() -> None:
    """As without EMA: the spread is 42 % of that of uniform vectors, too much for a collapse."""
    alike = {"positive_similarity": 0.85, "negative_similarity": 0.84, "key_std": 0.42 * 0.125, "target_entropy": 5.5}
    for loss, kind in [(5.55, "at chance"), (6.5, "above chance")]:
        found = verdict(lines([loss] * 20, **alike))
        assert found is not None
        assert found.kind == kind
        assert "similarity to its own key is 0.85, to those of other videos 0.84." in found.sentence
        assert "raise METHOD.EMA_MOMENTUM" in found.sentence


@pytest.mark.parametrize("how", [{"key_std": 0.012}, {"key_rank": 1.4}])
def test_collapsed_since_the_first_of_the_last_measurements(how: dict[str, float]) -> None:
    """Uniform vectors of 64 dimensions have 0.125; the loss alone looks like success."""
    healthy, collapsed = lines([5.0] * 20), lines([4.0] * 40, **how)[20:]
    found = verdict([*healthy, *collapsed])
    assert found is not None
    assert found.kind == "collapsed"
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
    assert "an untrained network gets this too" in found.sentence


@pytest.mark.parametrize(("last", "rose"), [(0.28, True), (0.16, False), (0.25, False)])
def test_below_chance_and_no_lower_but_the_labels_say_more(last: float, rose: bool) -> None:
    """Of a run on frame differences; 16 % is hardly more than the largest class, 25 % no more than at first."""
    labels = {"online_linear": 0.2, "online_chance": 0.125}
    first = 0.25 if last >= 0.25 else 0.1
    logged = [{**line, **labels, "online_knn": first} for line in lines([5.18] * 10)]
    found = verdict(logged[:-3] + [{**line, "online_knn": last} for line in logged[-3:]])
    assert found is not None
    assert found.kind == "standing still"
    assert ("; yet online kNN rose from 25% to 28%: the features do become better." in found.sentence) == rose
    assert ("an untrained network gets this too" in found.sentence) != rose


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
