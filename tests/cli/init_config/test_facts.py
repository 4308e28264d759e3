"""What follows from what was seen; numbers by hand."""

from pathlib import Path

import pytest
import torch

from sce_video.cli.init_config.facts import Movement, Spread, facts_of
from sce_video.cli.init_config.layout import Layout
from sce_video.cli.init_config.look import Sample, Seen
from sce_video.data.videos import videos_from_paths
from sce_video.errors import UserError


def layout(*paths: str, labels: list[int] | None = None, names: dict[int, str] | None = None) -> Layout:
    listed = videos_from_paths("/data", paths, labels, "/data", class_names=names)
    return Layout("folder", Path("/data"), "", "", listed, is_image=False)


def seen(levels: list[float], *, moving_rows: int, seconds: float = 2.0, width: int = 320) -> Seen:
    """Frames of these gray levels in the upper rows; the others stand still."""
    maps = torch.full((len(levels), 24, 32), 100.0)
    for frame, level in enumerate(levels):
        maps[frame, :moving_rows] = level
    return Seen(seconds, 30.0, 60, 240, width, maps)


def test_movement_stillness_and_spreads() -> None:
    still = seen([100, 130, 100, 130, 100], moving_rows=6)  # a quarter of the picture changes by 30
    panning = seen([10, 50, 90, 130, 170], moving_rows=24, seconds=4.0)
    other = seen([100, 100, 100, 100, 100], moving_rows=0, seconds=1.0, width=480)
    facts = facts_of(
        layout("a.mp4", "b.mp4", "c.mp4", "d.mp4"), Sample({0: still, 1: panning, 3: other}, {2: "/data/c.mp4: no"})
    )
    assert facts.movement is not None
    assert facts.movement.difference == pytest.approx((30 / 4 + 40 + 0) / 3)
    assert facts.movement.spacing == Spread(0.2, 0.2, 0.2)
    assert facts.between == pytest.approx((10 + 10 + 0) / 3)  # middle frames: 100, 90, 100
    assert facts.movement.still_share == pytest.approx(2 / 3)
    assert (facts.seconds, facts.size) == (Spread(1.0, 2.0, 4.0), (240, 320))
    assert (facts.failures, facts.failed_share, facts.num_usable) == (["c.mp4: no"], 0.25, 3)
    assert not facts.is_image
    assert facts.groups is None


def test_single_frames_tell_nothing_of_movement() -> None:
    """As of two slides of a talk; a video whose frames differ counts alone."""
    slide = seen([100], moving_rows=24, seconds=60.0)
    assert facts_of(layout("a.mp4", "b.mp4"), Sample({0: slide, 1: slide}, {})).movement is None
    panning = seen([0, 40, 80, 120, 160], moving_rows=24, seconds=0.4)
    found = facts_of(layout("a.mp4", "b.mp4"), Sample({0: slide, 1: panning}, {})).movement
    assert found == Movement(Spread(0.08, 0.08, 0.08), difference=40.0, still_share=0.0)


def test_videos_of_a_session_at_equal_distances_in_the_list() -> None:
    """Two sessions by turns, as in folders of classes: four of the six pairs are of two sessions, 100 apart."""
    videos = [seen([level], moving_rows=24) for level in (0.0, 100.0, 0.0, 100.0)]
    facts = facts_of(layout("a.mp4", "b.mp4", "c.mp4", "d.mp4"), Sample(dict(enumerate(videos)), {}))
    assert facts.between == pytest.approx(4 / 6 * 100)


def test_classes_that_a_mirror_exchanges() -> None:
    named = layout("a.mp4", "b.mp4", "c.mp4", labels=[0, 1, 2], names={0: "turn_left", 1: "Turn Right", 2: "wave"})
    facts = facts_of(named, Sample({0: seen([0.0], moving_rows=1)}, {}))
    assert facts.sided_names == ["turn_left", "Turn Right"]


@pytest.mark.parametrize(
    ("name", "is_sided"),
    [
        *((name, True) for name in ("left", "LeftHand", "turnRight", "left2", "TURN_RIGHT", "nach links", "leftwards")),
        *((name, True) for name in ("clockwise", "Turning Hand Counterclockwise", "anti-clockwise", "anticlockwise")),
        *((name, False) for name in ("bright", "Upright", "blinks", "cleft_lip", "COPYRIGHT", "Brightness", "wave")),
    ],
)
def test_sides_are_words_of_a_name(name: str, is_sided: bool) -> None:
    named = layout("a.mp4", labels=[0], names={0: name})
    assert facts_of(named, Sample({0: seen([0.0], moving_rows=1)}, {})).sided_names == [name] * is_sided


def test_nothing_can_be_decoded() -> None:
    with pytest.raises(
        UserError, match=r"none of the 1 videos tried of /data can be decoded, such as a.mp4: no; check"
    ):
        facts_of(layout("a.mp4"), Sample({}, {0: "/data/a.mp4: no"}))
