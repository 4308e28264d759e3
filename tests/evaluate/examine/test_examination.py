"""Examination of networks whose answers are known, on clips of noise."""

import json

import pytest
import torch
from torch import Tensor, nn

from sce_video.augment.apply import plain_view
from sce_video.errors import ManifestError
from sce_video.evaluate.examine.changes import changed_clips
from sce_video.evaluate.examine.examination import Examination, examine
from sce_video.evaluate.examine.thumbnails import WithThumbnails
from sce_video.evaluate.features import FeatureRows, concatenated
from tests.evaluate.examine.backbones import BiasedChange, Constant, LastMinusFirst, Luma, MeanFrame, Profile

HALF = (0.5, 0.5, 0.5)


def noise(video: int, *, num_frames: int = 6, is_static: bool = False) -> Tensor:
    """Two clips of a video: uint8 (T, 3, 16, 16)."""
    generator = torch.Generator().manual_seed(video)
    clips = torch.randint(256, (2, num_frames, 3, 16, 16), dtype=torch.uint8, generator=generator)
    return clips[:, :1].expand_as(clips) if is_static else clips


def examined(backbone: nn.Module, videos: list[Tensor], **more) -> Examination:
    """Of each video the second clip is "another clip"."""
    rows = []
    for video, (clip, other) in enumerate(videos):
        views = plain_view(changed_clips(torch.stack([clip, clip, other])), mean=HALF, std=HALF)
        features = WithThumbnails(backbone)(views)
        rows.append(FeatureRows(features, torch.full((len(features),), video), []))
    about = {"sees_pictures": True, "groups": None, "labels": None, **more}
    return examine(concatenated(rows), num_frames=len(videos[0][0]), **about)


MOVING = [noise(video) for video in range(8)]
STATIC = [noise(video, is_static=True) for video in range(8)]


def test_a_network_that_averages_frames_does_not_see_their_order() -> None:
    bars = examined(MeanFrame(), MOVING).similarities.bars
    assert bars["shuffled"].mean == pytest.approx(1)
    assert bars["reversed"].mean == pytest.approx(1)
    assert bars["frozen"].mean < 0.7  # one of six frames of noise
    assert bars["other_clip"].mean == pytest.approx(0, abs=0.1)


def test_videos_that_do_not_move_are_left_out_of_the_rows_of_movement() -> None:
    found = examined(MeanFrame(), [*MOVING, *STATIC])
    num_videos = {name: bar.num_videos for name, bar in found.similarities.bars.items()}
    assert num_videos == {
        **dict.fromkeys(("frozen", "shuffled", "reversed", "other_speed"), 8),
        **dict.fromkeys(("mirrored", "gray", "cropped", "other_clip", "other_videos"), 16),
    }
    assert "8 of 16 videos do not move visibly and are left out of what is said of movement." in found.words
    alone = examined(MeanFrame(), MOVING).similarities.bars["frozen"]
    assert found.similarities.bars["frozen"].cosine == pytest.approx(alone.cosine)
    assert found.record()["num_still_videos"] == 8


def test_of_videos_without_movement_nothing_is_said_of_it() -> None:
    found = examined(MeanFrame(), STATIC)
    assert set(found.similarities.bars) == {"mirrored", "gray", "cropped", "other_clip", "other_videos"}
    assert found.words[0] == "None of the 8 videos moves visibly: nothing can be said of movement."
    assert "frozen" not in "".join(found.words)
    assert found.similarities.bars["mirrored"].mean < 0.2


MORE = [noise(video) for video in range(12)]


def test_a_network_of_differences_sees_the_direction_of_time() -> None:
    """And is not asked about frozen clips, of which it sees nothing."""
    found = examined(LastMinusFirst(), [*MORE, *STATIC[:2]], sees_pictures=False)
    assert found.similarities.bars["reversed"].cosine == pytest.approx(-1)
    assert {bar.num_videos for bar in found.similarities.bars.values()} == {12}
    assert "frozen" not in found.similarities.bars
    words = "\n".join(found.words)
    assert "A frozen clip is blank for a network that sees differences of frames: it is left out.\n" in words
    assert "the direction of time is seen." in words
    assert "see what happens" not in words
    assert "2 of 14 videos do not move visibly and are left out of all rows: the network sees differences" in words
    with pytest.raises(ManifestError, match="and move visibly, as the network sees differences of frames"):
        examined(LastMinusFirst(), STATIC, sees_pictures=False)


def test_for_a_network_of_differences_other_clips_that_do_not_move_are_blank() -> None:
    """And say nothing of what it sees; those of another video do."""
    stops = [torch.stack([clip, other[:1].expand_as(other)]) for clip, other in MORE]
    found = examined(BiasedChange(), stops, sees_pictures=False)
    assert "other_clip" not in found.similarities.bars
    assert {bar.num_videos for bar in found.similarities.bars.values()} == {12}
    words = "\n".join(found.words)
    assert "and left out of their rows: 12 (another clip of the video)." in words
    assert "Another clip of the video is hardly nearer" not in words
    assert "long enough" not in words
    assert found.record()["num_blank_clips"] == {"other_clip": 12}
    some = examined(BiasedChange(), [*stops[:5], *MORE[5:], *STATIC[:2]], sees_pictures=False)
    assert some.similarities.bars["other_clip"].num_videos == 7
    assert some.record()["num_blank_clips"] == {"other_clip": 5}
    assert examined(MeanFrame(), stops).similarities.bars["other_clip"].num_videos == 12


def test_features_of_zeros_are_named() -> None:
    """Of a network that is not known to see differences only."""
    found = examined(LastMinusFirst(), [*MORE, STATIC[0]])
    assert "frozen" not in found.similarities.bars
    assert found.similarities.zeros["frozen"] == 12
    (zeros,) = [words for words in found.words if "zeros" in words]
    assert zeros.startswith("Features that are zeros have no direction and are left out: 1 (the clip itself), 12 (fro")
    assert examined(LastMinusFirst(), STATIC).words[0].startswith("Features that are zeros")


def test_networks_that_do_not_see_colour_or_sides() -> None:
    of_luma, of_profile = examined(Luma(), MOVING).similarities.bars, examined(Profile(), MOVING).similarities.bars
    assert of_luma["gray"].mean == pytest.approx(1, abs=1e-4)  # gray levels are rounded
    assert of_luma["mirrored"].mean == pytest.approx(0, abs=0.1)
    assert of_profile["mirrored"].mean == pytest.approx(1)
    assert of_profile["gray"].mean < 0.9


def test_a_collapsed_network_has_no_bars_and_is_at_chance() -> None:
    found = examined(Constant(), MOVING, groups=list("aabbccdd"))
    assert found.similarities.bars == {}
    assert found.shares["same_group"].share == pytest.approx(1 / 7)
    assert set(found.metrics()) == {"examine_same_group"}


def test_clips_of_one_frame_have_no_rows_of_movement() -> None:
    found = examined(MeanFrame(), [noise(video, num_frames=1) for video in range(4)])
    assert set(found.similarities.bars) == {"mirrored", "gray", "cropped", "other_clip", "other_videos"}
    assert found.words[0].startswith("Clips have one frame")


def test_neighbours_by_group_and_class_of_the_videos_that_could_be_decoded() -> None:
    """Videos 0 and 1, and 3 and 4, share a background; 2 could not be decoded."""
    backgrounds = [noise(90, is_static=True)] * 2 + [noise(91, is_static=True)] * 2
    clips = [(3 * (back // 4) + noise(video) // 4) for video, back in enumerate(backgrounds)]
    rows = []
    for video, (clip, _) in zip((0, 1, 3, 4), clips, strict=True):
        features = WithThumbnails(MeanFrame())(
            plain_view(changed_clips(clip.expand(2, -1, -1, -1, -1)), mean=HALF, std=HALF)
        )
        rows.append(FeatureRows(features, torch.full((len(features),), video), []))
    found = examine(
        concatenated(rows),
        num_frames=6,
        sees_pictures=True,
        groups=["a", "a", "unused", "b", "b"],
        labels=[0, 1, 7, 0, 1],
    )
    assert (found.shares["same_group"].share, found.shares["same_class"].share) == (1, 0)
    assert found.shares["same_group"].chance == pytest.approx(1 / 3)
    assert "other_clip" not in found.similarities.bars
    assert found.about.num_duplicates == 0


def test_copies_do_not_count() -> None:
    found = examined(MeanFrame(), [*MOVING[:3], MOVING[0]], groups=list("abca"))
    assert found.record()["num_near_duplicates"] == 2
    assert "same_group" not in found.shares
    words = "\n".join(found.words)
    assert "No group has two videos to compare besides near-duplicates: nothing can be said of groups.\n" in words
    assert "\n2 of 4 videos are near-duplicates of another one: such pairs are not compared." in words
    with pytest.raises(ManifestError, match="at least two videos"):
        examined(MeanFrame(), [MOVING[0], MOVING[0]])


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (["a"] * 8, "All videos are in one group (EVAL.GROUP_PATTERN or the column group): nothing can be said"),
        (list("abcdefgh"), "No group has two videos to compare: nothing can be said of groups."),
    ],
)
def test_groups_that_say_nothing_are_named(groups: list[str], sentence: str) -> None:
    assert sentence in "\n".join(examined(MeanFrame(), MOVING, groups=groups).words)
    assert "group" not in "\n".join(examined(MeanFrame(), MOVING).words)


def test_of_one_video_there_is_no_error() -> None:
    found = examined(MeanFrame(), [MOVING[0], *STATIC])
    assert found.similarities.bars["reversed"].num_videos == 1
    assert found.metrics().keys() - found.standard_errors().keys() == {
        *("examine_frozen", "examine_shuffled", "examine_reversed", "examine_other_speed")
    }


def test_the_record_is_json_with_a_title_for_each_number() -> None:
    found = examined(MeanFrame(), MOVING, groups=list("aabbccdd"), labels=[0, 1] * 4)
    record = json.loads(json.dumps(found.record()))
    assert [bar["name"] for bar in record["bars"]] == list(found.similarities.bars)
    assert all(each["title"] for each in record["bars"] + record["shares"])
    assert found.metrics().keys() == found.standard_errors().keys()
    assert found.chance().keys() < found.metrics().keys()
