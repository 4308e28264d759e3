"""What an examination says of movement, in sentences."""

from collections.abc import Mapping
from typing import NamedTuple

from sce_video.evaluate.examine.similarity import Bar

# On the scale from other videos (0) to the same feature (1).
AS_NEAR, NEAR = 0.9, 0.5
LEAST_VIDEOS = 10  # fewer are too few to say what features see
FROZEN_IS_BLANK = "A frozen clip is blank for a network that sees differences of frames: it is left out."


class Examined(NamedTuple):
    """The videos of an examination, and the groups among them (None without groups).

    `num_duplicates` show the same as another one; `num_still` do not move visibly. `sees_pictures`: the network sees
    frames, not only their differences. If not, `num_blank` are the clips of moving videos that are still after the
    change, by row.
    """

    num_frames: int
    num_videos: int
    num_duplicates: int
    num_still: int
    sees_pictures: bool
    num_blank: Mapping[str, int]
    num_groups: int | None


def movement_in_words(frozen: float) -> str:
    """What the similarity to a frozen clip means, in a few words."""
    if frozen >= AS_NEAR:
        return "these features see what is there, not what happens"
    if frozen >= NEAR:
        return "these features see mostly what is there, and some of what happens"
    return "these features see what happens"


def movement_sentence(bars: Mapping[str, Bar], about: Examined) -> str:
    """Whether the features see movement; or why nothing can be said of it."""
    if about.num_frames == 1:
        return "Clips have one frame: nothing can be said of movement."
    if about.num_still == about.num_videos:
        return f"None of the {about.num_videos} videos moves visibly: nothing can be said of movement."
    if not about.sees_pictures:
        return FROZEN_IS_BLANK
    return _frozen_sentence(bars["frozen"]) if "frozen" in bars else ""


def _frozen_sentence(bar: Bar) -> str:
    near = "as near as" if bar.mean >= AS_NEAR else "near" if bar.mean >= NEAR else "far from"
    found = f"A frozen clip is {near} the moving one ({bar.mean:.2f} from 0, another video, to 1, the same)"
    if bar.num_videos < LEAST_VIDEOS:
        return f"{found}, of only {bar.num_videos} videos: too few to say what these features see."
    advice = " If your classes are movements, see docs/examine.md for what helps." if bar.mean >= AS_NEAR else ""
    return f"{found}: {movement_in_words(bar.mean)}.{advice}"


def still_sentence(about: Examined) -> str:
    """How many videos do not move and are left out, "" if all or none."""
    if about.num_frames == 1 or about.num_still in (0, about.num_videos):
        return ""
    why = "what is said of movement" if about.sees_pictures else "all rows: the network sees differences of frames"
    return f"{about.num_still} of {about.num_videos} videos do not move visibly and are left out of {why}."


def order_sentence(bars: Mapping[str, Bar]) -> str:
    """Whether the order of frames and the direction of time are seen; "" if no movement is."""
    if not {"shuffled", "reversed"} <= bars.keys():
        return ""
    if bars["reversed"].num_videos < LEAST_VIDEOS:
        few = f"Only {bars['reversed'].num_videos} videos: too few to say what these features see of movement."
        return "" if "frozen" in bars else few
    if "frozen" in bars and bars["frozen"].mean >= AS_NEAR:
        return ""
    shuffled, backwards = bars["shuffled"].mean, bars["reversed"].mean
    if min(shuffled, backwards) >= AS_NEAR:
        return (
            f"Shuffled and reversed clips are as near as the clip itself ({shuffled:.2f}, {backwards:.2f}): the order "
            "of frames is not seen."
        )
    if backwards >= AS_NEAR:
        return (
            f"A clip played backwards is as near as the clip itself ({backwards:.2f}): opening and closing look the "
            "same to these features."
        )
    if backwards >= NEAR:
        return f"A clip played backwards is still near it ({backwards:.2f}): the direction of time is seen a little."
    return f"A clip played backwards is far from it ({backwards:.2f}): the direction of time is seen."
