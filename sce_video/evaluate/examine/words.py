"""What the numbers of an examination mean, in sentences."""

import math
from collections.abc import Mapping

from sce_video.evaluate.examine.changes import OTHER_CLIP, OTHER_SPEED
from sce_video.evaluate.examine.movement_words import (
    AS_NEAR,
    FROZEN_IS_BLANK,
    LEAST_VIDEOS,
    NEAR,
    Examined,
    movement_sentence,
    order_sentence,
    still_sentence,
)
from sce_video.evaluate.examine.neighbors import SAME_CLASS, SAME_CLASS_OTHER_GROUP, SAME_GROUP, Share
from sce_video.evaluate.examine.similarity import CLIP, OTHER_VIDEOS, Bar, Similarities

TITLES = {
    CLIP: "the clip itself",
    "frozen": "frozen: its middle frame repeated",
    "shuffled": "shuffled: its frames in another order",
    "reversed": "reversed in time",
    OTHER_SPEED: "at half speed",
    "mirrored": "mirrored",
    "gray": "in gray",
    "cropped": "cropped: its upper left 3/4, enlarged",
    OTHER_CLIP: "another clip of the video",
    OTHER_VIDEOS: "clips of other videos",
    SAME_GROUP: "nearest neighbour of the same group",
    SAME_CLASS: "nearest neighbour of the same class",
    SAME_CLASS_OTHER_GROUP: "nearest one of other groups of the same class",
}
_HARDLY_NEAR = 0.2  # on the scale from other videos (0) to the same feature (1)
_NEARLY_ALL_ALIKE = 0.99  # cosine of other videos
_ERRORS = 2  # by which a share must exceed chance


def in_words(found: Similarities, shares: Mapping[str, Share], about: Examined) -> list[str]:
    """What these features see and what they do not, the most important first."""
    zeros = _zeros(found.zeros)
    if not found.bars:
        return [
            zeros
            or "All videos have the same feature, up to rounding: the network has collapsed, and no similarity "
            "means anything. Look at the curves of its training."
        ]
    movement = movement_sentence(found.bars, about)
    is_blank = movement == FROZEN_IS_BLANK
    said = [
        "" if is_blank else movement,
        order_sentence(found.bars),
        _group(shares, about),
        _classes(shares),
        _duplicates(about),
        movement if is_blank else "",
        still_sentence(about),
        _blank(about.num_blank),
        zeros,
        _other_clip(found, about),
        *_appearance(found.bars),
        _anisotropy(found.cosine_of_others),
    ]
    return [sentence for sentence in said if sentence]


def _other_clip(found: Similarities, about: Examined) -> str:
    if OTHER_CLIP not in found.bars:
        if OTHER_CLIP in {**found.zeros, **about.num_blank}:
            return ""
        which = "" if about.sees_pictures or not about.num_still else " that moves visibly"
        return f"No video{which} is long enough for two clips."
    other = found.bars[OTHER_CLIP].mean
    if other >= AS_NEAR:
        return (
            f"Another clip of the video is as near as the clip itself ({other:.2f}): these features see what lasts "
            "through a video."
        )
    if other < _HARDLY_NEAR:
        return (
            f"Another clip of the video is hardly nearer than other videos ({other:.2f}): these features hold little "
            "of what the clips of a video have in common."
        )
    return ""


def _appearance(bars: Mapping[str, Bar]) -> list[str]:
    mirrored, gray, cropped = (
        bars[name].mean if name in bars else math.nan for name in ("mirrored", "gray", "cropped")
    )
    return [
        f"A mirrored clip is the same to these features ({mirrored:.2f}): left and right are not told apart. If they "
        "differ in your classes, pretrain with AUG.FLIP_PROBABILITY 0."
        if mirrored >= AS_NEAR
        else "",
        f"Without colour a clip is a different one ({gray:.2f}): these features see colour. Pretrain with a higher "
        "AUG.COLOR_STRENGTH or AUG.GRAYSCALE_PROBABILITY if it does not matter in your classes."
        if gray < NEAR
        else "",
        f"Cropped elsewhere a clip is a different one ({cropped:.2f}): these features see where things are and how "
        "large. Pretrain with a wider AUG.CROP_AREA if it does not matter in your classes."
        if cropped < NEAR
        else "",
    ]


def _anisotropy(cosine_of_others: float) -> str:
    if cosine_of_others < _NEARLY_ALL_ALIKE:
        return ""
    return (
        f"The features of other videos have a cosine of {cosine_of_others:.5f}: the scale magnifies small differences. "
        "This is usual for random weights; a trained network may be collapsing."
    )


def _zeros(zeros: Mapping[str, int]) -> str:
    if not zeros:
        return ""
    return f"Features that are zeros have no direction and are left out: {_counts(zeros)}."


def _blank(num_blank: Mapping[str, int]) -> str:
    if not num_blank:
        return ""
    return (
        "Clips that do not move visibly are blank for a network that sees differences of frames, and left out of their "
        f"rows: {_counts(num_blank)}."
    )


def _counts(of_rows: Mapping[str, int]) -> str:
    return ", ".join(f"{num} ({TITLES[name]})" for name, num in of_rows.items())


def _duplicates(about: Examined) -> str:
    if not about.num_duplicates:
        return ""
    return (
        f"{about.num_duplicates} of {about.num_videos} videos are near-duplicates of another one: such pairs are not "
        "compared."
    )


def _group(shares: Mapping[str, Share], about: Examined) -> str:
    if about.num_groups is None:
        return ""
    if about.num_groups == 1:
        return "All videos are in one group (EVAL.GROUP_PATTERN or the column group): nothing can be said of groups."
    if SAME_GROUP not in shares:
        besides = " besides near-duplicates" if about.num_duplicates else ""
        return f"No group has two videos to compare{besides}: nothing can be said of groups."
    share = shares[SAME_GROUP]
    if share.num_videos < LEAST_VIDEOS:
        return (
            f"{_percent(share)} of the nearest neighbours are of the same group{_chance(share)}, of {_only(share)}: "
            "too few to say."
        )
    if not _is_above_chance(share):
        return (
            f"{_percent(share)} of the nearest neighbours are of the same group, no more than by chance "
            f"({100 * share.chance:.0f} %)."
        )
    return (
        f"{_percent(share)} of the nearest neighbours are of the same group{_chance(share)}: these features see what a "
        "group has in common, such as its room, film or person."
    )


def _classes(shares: Mapping[str, Share]) -> str:
    if SAME_CLASS not in shares:
        return ""
    share, others = shares[SAME_CLASS], shares.get(SAME_CLASS_OTHER_GROUP)
    said = f"{_percent(share)} of the nearest neighbours are of the same class{_chance(share)}"
    if others is None:
        few = f", of {_only(share)}: too few to say" if share.num_videos < LEAST_VIDEOS else ""
        return f"{said}{few}."
    said += f"; of those in other groups {_percent(others)}{_chance(others)}"
    if min(share.num_videos, others.num_videos) < LEAST_VIDEOS:
        return f"{said}, of {_only(min(share, others, key=lambda each: each.num_videos))}: too few to say."
    if _is_above_chance(share) and not _is_above_chance(others):
        return f"{said}: beyond the group there is no clear sign of the class."
    return f"{said}."


def _is_above_chance(share: Share) -> bool:
    """By the standard error that it would have by chance, which is not 0 when all neighbours match."""
    error = (share.chance * (1 - share.chance) / share.num_videos) ** 0.5
    return share.share - share.chance > _ERRORS * error


def _only(share: Share) -> str:
    return f"only {share.num_videos} videos"


def _percent(share: Share) -> str:
    return f"{100 * share.share:.0f} %"


def _chance(share: Share) -> str:
    return f" (by chance {100 * share.chance:.0f} %)"
