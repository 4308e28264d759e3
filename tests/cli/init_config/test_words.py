"""Durations and questions in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from sce_video.cli.init_config.facts import Machine, Movement, Spread
from sce_video.cli.init_config.groups import Groups
from sce_video.cli.init_config.memory import overrides_of
from sce_video.cli.init_config.timing import StepTime
from sce_video.cli.init_config.words import (
    commands,
    duration,
    in_time,
    missing_commands,
    movement,
    short_try,
    what_is_not_known,
    what_was_seen,
)
from sce_video.config import load_config
from tests.cli.init_config.test_facts import layout
from tests.cli.init_config.test_settings import GESTURES, chosen


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (80, "80 s"), (120, "2 min"), (3000, "50 min"), (9000, "2.5 h"), (260_000, "3 days")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert in_time(seconds) == words


def test_durations_say_how_they_were_measured() -> None:
    quiet = duration(2000, StepTime(0.75, 4, "cpu", 1.0), Machine(2, None))
    assert quiet == "about 25 min: 2,000 steps of 0.75 s (4 real steps on the CPU, 2 cores, loading included)."
    assert "other programs kept the machine busy, load 9.0" in duration(
        20, StepTime(1, 4, "cpu", 9.0), Machine(2, None)
    )
    only_first = duration(2000, StepTime(74, 1, "cpu", 1.0, is_first=True), Machine(2, None))
    assert only_first == (
        "at most 1.7 days: 2,000 steps of 74 s (the first real step on the CPU, 2 cores, loading included, with all "
        "that only the first needs)."
    )
    assert duration(20, None, Machine(2, 24.0, is_here=False)).startswith("not known: no GPU of 24 GiB here.")


def test_questions_quote_what_was_seen() -> None:
    settings = {"CLIP.SECONDS": 1.1, "AUG.FLIP_PROBABILITY": 0.5}
    questions = what_is_not_known(GESTURES, layout("a.mp4"), settings)
    assert [question.partition("?")[0] for question in questions] == [
        "Does a mirror image change the class (turn left, writing)",
        "Does a clip of 1.1 s show what makes a class",
        "Is the class a movement, rather than a scene or an object",
        "What do the videos share besides the class: place, person, day, film",
        "Which videos are for testing",
    ]
    assert "in 90% of the videos the camera stands still" in questions[2]
    rooms = Groups("the folder", "^(.*)/", "room3", 12, 8.6, 51.2)
    panning = Movement(Spread(0.2, 0.2, 0.2), difference=9.0, still_share=0.1)
    changed = replace(GESTURES, groups=rooms, sided_names=["turn_left"], movement=panning)
    others = " ".join(what_is_not_known(changed, layout("a.mp4"), settings))
    for words in (
        "12 groups by the folder, such as room3",
        "9 gray levels in a group, by 51",
        "Names such as turn_left say so",
    ):
        assert words in others
    assert "camera stands still" not in others
    assert "For movements --motion (frame differences) is probably right" in questions[2]
    settings |= {"MODEL.REPRESENTATION": "difference", "AUG.FLIP_PROBABILITY": 0.0}
    mirrored, _, movement_only, *_ = what_is_not_known(GESTURES, layout("a.mp4"), settings)
    assert mirrored.endswith("If not, AUG.FLIP_PROBABILITY 0.5.")
    assert "sees only what moves" in movement_only
    assert GESTURES.movement is not None
    assert movement(GESTURES.movement, between=60.0) == (
        "frames 0.2 s apart differ by 3.0 gray levels of 255, those of any two videos by 60; in 90% of the videos the "
        "camera stands still"
    )


def test_the_distance_of_frames_is_that_of_the_videos() -> None:
    short = Movement(Spread(0.08, 0.08, 0.2), difference=3.0, still_share=0.9)
    assert movement(short, between=60.0).startswith("frames 0.08 to 0.2, median 0.08 s apart differ by 3.0")


def test_of_single_frames_nothing_is_said_of_movement() -> None:
    facts, videos, settings = replace(GESTURES, movement=None), layout("a.mp4"), {"CLIP.SECONDS": 1.1}
    for more in ({"AUG.FLIP_PROBABILITY": 0.5}, {"AUG.FLIP_PROBABILITY": 0.0, "MODEL.REPRESENTATION": "difference"}):
        said = " ".join([*what_was_seen(facts, videos), *what_is_not_known(facts, videos, settings | more)])
        assert "Is the class a movement" in said
        for words in ("stands still", "differ by", "s apart", "is probably right"):
            assert words not in said


@pytest.mark.parametrize(("num_videos", "is_few"), [(39, True), (40, False)])
def test_few_videos_of_a_class_have_fewer_neighbours(num_videos: int, is_few: bool) -> None:
    """Of two classes; kNN's default is 20 neighbours."""
    facts, split = replace(GESTURES, num_videos=num_videos), replace(layout("nod/a.mp4", labels=[0]), test="test")
    settings = {"RUN.OUTPUT_DIR": "runs/mine", "CLIP.SIZE_PIXELS": 64}
    found = commands(facts, split, settings, Path("mine.yaml")).values()
    of_knn = ["EVAL.KNN_NUM_NEIGHBORS 5" in command for command in found if "folder_knn.yaml" in command]
    assert of_knn == [is_few, is_few]  # the floors' random network is measured in the same way
    unlabelled = commands(facts, replace(layout("a.mp4"), test="val"), settings, Path("mine.yaml")).values()
    assert not any("folder_knn.yaml" in command for command in unlabelled)


def test_a_folder_of_classes_without_test_videos_is_told_what_is_missing() -> None:
    classes = layout("nod/a.mp4", "wave/b.mp4", labels=[0, 1])
    (line,) = missing_commands(classes)
    assert "set test videos apart first" in line
    assert missing_commands(replace(classes, test="test")) == missing_commands(layout("a.mp4")) == []


@pytest.mark.parametrize("num_videos", [170, 50_000])
def test_a_short_try_runs(num_videos: int) -> None:
    settings = {**chosen(replace(GESTURES, num_videos=num_videos)), "RUN.OUTPUT_DIR": "runs/mine"}
    (line,) = short_try(settings) or [""]
    assert bool(line) == (settings["TRAIN.NUM_EPOCHS"] > 3)
    cfg = load_config(None, [*overrides_of({**settings, "DATA.SOURCE": "folder", "DATA.ROOT": "."}), *line.split()[3:]])
    assert cfg.TRAIN.NUM_EPOCHS <= 3
    assert (cfg.RUN.OUTPUT_DIR == "runs/mine_try") == bool(line)
