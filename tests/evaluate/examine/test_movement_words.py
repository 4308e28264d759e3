"""Sentences on movement, on numbers made by hand."""

from sce_video.evaluate.examine.movement_words import (
    Examined,
    movement_in_words,
    movement_sentence,
    order_sentence,
    still_sentence,
)
from sce_video.evaluate.examine.similarity import Bar

ABOUT = Examined(
    num_frames=8, num_videos=100, num_duplicates=0, num_still=0, sees_pictures=True, num_blank={}, num_groups=None
)
OF_DIFFERENCES = ABOUT._replace(sees_pictures=False)


def bars_of(num_videos: int = 100, **means: float) -> dict[str, Bar]:
    return {name: Bar(mean, mean, 0.01, (mean,) * 5, num_videos) for name, mean in means.items()}


def test_movement_in_a_few_words() -> None:
    assert movement_in_words(0.95) == "these features see what is there, not what happens"
    assert len({movement_in_words(value) for value in (0.95, 0.7, 0.2)}) == 3


def test_few_videos_say_nothing_of_movement() -> None:
    few = bars_of(9, frozen=0.2, shuffled=0.2, reversed=0.1)
    assert movement_sentence(few, ABOUT) == (
        "A frozen clip is far from the moving one (0.20 from 0, another video, to 1, the same), of only 9 videos: too "
        "few to say what these features see."
    )
    assert order_sentence(few) == ""
    enough = bars_of(10, frozen=0.2, shuffled=0.2, reversed=0.1)
    assert movement_sentence(enough, ABOUT).endswith("these features see what happens.")
    assert "direction of time is seen" in order_sentence(enough)


def test_of_a_network_of_differences_only_the_order_of_frames_is_said() -> None:
    assert movement_sentence(bars_of(shuffled=0.2, reversed=0.1), OF_DIFFERENCES) == (
        "A frozen clip is blank for a network that sees differences of frames: it is left out."
    )
    assert "the order of frames is not seen" in order_sentence(bars_of(shuffled=0.95, reversed=0.97))
    few = order_sentence(bars_of(9, shuffled=0.95, reversed=0.97))
    assert few == "Only 9 videos: too few to say what these features see of movement."


def test_why_nothing_is_said_of_movement() -> None:
    of_images = ABOUT._replace(num_frames=1, num_still=100)
    assert movement_sentence({}, of_images) == "Clips have one frame: nothing can be said of movement."
    still = ABOUT._replace(num_still=100)
    assert "None of the 100 videos moves visibly: nothing" in movement_sentence({}, still)
    assert [order_sentence({}), still_sentence(of_images), still_sentence(still), still_sentence(ABOUT)] == [""] * 4


def test_still_videos_are_counted() -> None:
    some = "12 of 100 videos do not move visibly and are left out of"
    assert still_sentence(ABOUT._replace(num_still=12)) == f"{some} what is said of movement."
    assert still_sentence(OF_DIFFERENCES._replace(num_still=12)).startswith(f"{some} all rows: the network sees diff")
