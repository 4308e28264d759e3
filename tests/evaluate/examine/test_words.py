"""Sentences on numbers made by hand."""

import pytest

from sce_video.evaluate.examine.movement_words import Examined
from sce_video.evaluate.examine.neighbors import Share
from sce_video.evaluate.examine.similarity import Bar, Similarities
from sce_video.evaluate.examine.words import in_words

ABOUT = Examined(
    num_frames=8, num_videos=100, num_duplicates=0, num_still=0, sees_pictures=True, num_blank={}, num_groups=9
)


def similarities_of(cosine_of_others: float = 0.3, *, num_videos: int = 100, **means: float) -> Similarities:
    usual = {
        "frozen": 0.7,
        "shuffled": 0.7,
        "reversed": 0.7,
        "other_speed": 0.7,
        "mirrored": 0.7,
        "gray": 0.7,
        "cropped": 0.7,
        "other_clip": 0.7,
        "other_videos": 0.0,
    }
    bars = {
        name: Bar(mean, mean, 0.01, (mean,) * 5, num_videos) for name, mean in {**usual, **means}.items() if mean > -9
    }
    return Similarities(bars, cosine_of_others)


def said(found: Similarities, about: Examined = ABOUT, **shares: Share) -> str:
    return "\n".join(in_words(found, shares, about))


@pytest.mark.parametrize(
    ("means", "sentence"),
    [
        ({"frozen": 0.97}, "A frozen clip is as near as the moving one (0.97 from 0, another video, to 1, the same): "),
        ({"frozen": 0.97}, "these features see what is there, not what happens"),
        ({"frozen": 0.6}, "A frozen clip is near the moving one (0.60"),
        ({"frozen": 0.2}, "these features see what happens"),
        ({"frozen": 0.6, "reversed": 0.95}, "A clip played backwards is as near as the clip itself (0.95)"),
        ({"frozen": 0.6, "reversed": 0.95, "shuffled": 0.93}, "(0.93, 0.95): the order of frames is not seen"),
        (
            {"frozen": 0.3, "reversed": 0.1},
            "A clip played backwards is far from it (0.10): the direction of time is seen.",
        ),
        ({"frozen": 0.6, "reversed": 0.6}, "the direction of time is seen a little"),
        ({"other_clip": 0.95}, "see what lasts through a video"),
        ({"other_clip": 0.1}, "hardly nearer than other videos (0.10)"),
        ({"other_clip": -10}, "No video is long enough for two clips."),
        (
            {"mirrored": 0.99},
            "left and right are not told apart. If they differ in your classes, pretrain with AUG.FLIP",
        ),
        ({"gray": 0.3}, "these features see colour"),
        ({"cropped": 0.3}, "see where things are"),
        ({"cosine_of_others": 0.9987}, "a cosine of 0.99870: the scale magnifies"),
    ],
)
def test_similarities_in_words(means: dict[str, float], sentence: str) -> None:
    assert sentence in said(similarities_of(**means))
    assert sentence not in said(similarities_of(frozen=0.55, reversed=0.4, other_clip=0.5, cosine_of_others=0.2))


def test_what_is_not_seen_of_movement_is_said_once() -> None:
    words = said(similarities_of(frozen=0.97, reversed=0.99, shuffled=0.99))
    assert "backwards" not in words
    assert "Shuffled" not in words


def test_a_collapsed_network_has_nothing_else_to_say() -> None:
    (only,) = in_words(Similarities({}, 1.0), {"same_group": Share(0.5, 0.1, 0.05, 100)}, ABOUT)
    assert "the network has collapsed" in only


def test_the_most_important_sentence_is_first() -> None:
    """The page shows it in bold: for a network of differences not that there is no frozen clip."""
    shares = {"same_group": Share(0.5, 0.1, 0.05, 100)}
    frames = in_words(similarities_of(frozen=0.3, shuffled=0.4, reversed=0.4), shares, ABOUT)
    assert [sentence.split()[1] for sentence in frames[:2]] == ["frozen", "clip"]
    differences = in_words(similarities_of(frozen=-10, reversed=0.4), shares, ABOUT._replace(sees_pictures=False))
    assert [sentence.split()[1] for sentence in differences[:3]] == ["clip", "%", "frozen"]


def test_why_no_two_clips_of_a_video_are_compared() -> None:
    found = similarities_of(other_clip=-10)
    assert "No video is long enough for two clips." in said(found, ABOUT._replace(num_still=5))
    of_differences = ABOUT._replace(sees_pictures=False, num_still=5)
    assert "No video that moves visibly is long enough for two clips." in said(found, of_differences)
    blank = said(found, of_differences._replace(num_blank={"cropped": 3, "other_clip": 40}))
    assert "long enough" not in blank
    assert "rows: 3 (cropped: its upper left 3/4, enlarged), 40 (another clip of the video)." in blank


def test_near_duplicates_are_counted_where_groups_are_spoken_of() -> None:
    some = ABOUT._replace(num_duplicates=24)
    counted = "24 of 100 videos are near-duplicates of another one: such pairs are not compared."
    lines = said(similarities_of(), some, same_group=Share(0.61, 0.06, 0.04, 170)).split("\n")
    assert lines[lines.index(counted) - 1].startswith("61 % of the nearest neighbours are of the same group")
    assert f"to compare besides near-duplicates: nothing can be said of groups.\n{counted}" in said(
        similarities_of(), some
    )
    assert "near-duplicates" not in said(similarities_of())


def test_groups_in_words() -> None:
    room = said(similarities_of(), same_group=Share(0.61, 0.06, 0.04, 170))
    assert (
        "61 % of the nearest neighbours are of the same group (by chance 6 %): these features see what a group" in room
    )
    chance = said(similarities_of(), same_group=Share(0.08, 0.06, 0.02, 170))
    assert "8 % of the nearest neighbours are of the same group, no more than by chance (6 %)." in chance


def test_classes_in_words() -> None:
    seen, unseen = Share(0.42, 0.05, 0.03, 200), Share(0.07, 0.05, 0.02, 200)
    assert "42 % of the nearest neighbours are of the same class (by chance 5 %).\n" in said(
        similarities_of(gray=0.1), same_class=seen
    )
    words = said(similarities_of(), same_class=seen, same_class_of_other_groups=unseen)
    assert "in other groups 7 % (by chance 5 %): beyond the group there is no clear sign of the class." in words
    words = said(similarities_of(), same_class=seen, same_class_of_other_groups=seen)
    assert words.endswith("; of those in other groups 42 % (by chance 5 %).")


def test_shares_of_few_videos_are_no_evidence() -> None:
    """Three of three right; ten of ten by a chance of 3/4 happen in one case of 18."""
    words = said(similarities_of(), same_group=Share(1.0, 0.5, 0.0, 3))
    assert "100 % of the nearest neighbours are of the same group (by chance 50 %), of only 3 videos: too few" in words
    words = said(similarities_of(), same_group=Share(1.0, 0.75, 0.0, 10))
    assert "no more than by chance (75 %)" in words
    assert "what a group has in common" in said(similarities_of(), same_group=Share(1.0, 0.2, 0.0, 10))
    few, many = Share(1.0, 0.5, 0.0, 3), Share(0.9, 0.2, 0.05, 40)
    assert "(by chance 50 %), of only 3 videos: too few to say." in said(similarities_of(), same_class=few)
    words = said(similarities_of(), same_class=many, same_class_of_other_groups=few)
    assert "in other groups 100 % (by chance 50 %), of only 3 videos: too few to say." in words
