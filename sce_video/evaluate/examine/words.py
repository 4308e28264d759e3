"""What the numbers of an examination mean, in sentences."""

from collections.abc import Mapping

from sce_video.evaluate.examine.changes import OTHER_CLIP, OTHER_SPEED
from sce_video.evaluate.examine.neighbors import SAME_CLASS, SAME_CLASS_OTHER_GROUP, SAME_GROUP, Share
from sce_video.evaluate.examine.similarity import OTHER_VIDEOS, Bar, Similarities

TITLES = {
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
# On the scale from other videos (0) to the same feature (1).
_AS_NEAR, _NEAR, _HARDLY_NEAR = 0.9, 0.5, 0.2
_NEARLY_ALL_ALIKE = 0.99  # cosine of other videos
_ERRORS = 2  # by which a share must exceed chance


def in_words(found: Similarities, shares: Mapping[str, Share]) -> list[str]:
    """What these features see and what they do not, the most important first."""
    if not found.bars:
        return [
            "All videos have the same feature, up to rounding: the network has collapsed, and no similarity means "
            "anything. Look at the curves of its training."
        ]
    said = [
        _movement(found.bars),
        _group(shares),
        _classes(shares),
        _order_in_time(found.bars),
        _other_clip(found.bars),
        *_appearance(found.bars),
        _anisotropy(found.cosine_of_others),
    ]
    return [sentence for sentence in said if sentence]


def movement_in_words(frozen: float) -> str:
    """What the similarity to a frozen clip means, in a few words."""
    if frozen >= _AS_NEAR:
        return "these features see what is there, not what happens"
    if frozen >= _NEAR:
        return "these features see mostly what is there, and some of what happens"
    return "these features see what happens"


def _movement(bars: Mapping[str, Bar]) -> str:
    if "frozen" not in bars:
        return "Clips have one frame: nothing can be said of movement."
    frozen = bars["frozen"].mean
    said = movement_in_words(frozen)
    if frozen >= _AS_NEAR:
        return (
            f"A frozen clip is as near as the moving one ({frozen:.2f} from 0, another video, to 1, the same): {said}. "
            "If your classes are movements, see docs/examine.md for what helps."
        )
    if frozen >= _NEAR:
        return f"A frozen clip is near the moving one ({frozen:.2f} from 0, another video, to 1, the same): {said}."
    return f"A frozen clip is far from the moving one ({frozen:.2f} from 0, another video, to 1, the same): {said}."


def _order_in_time(bars: Mapping[str, Bar]) -> str:
    if "frozen" not in bars or bars["frozen"].mean >= _AS_NEAR:
        return ""  # nothing of the movement is seen
    shuffled, backwards = bars["shuffled"].mean, bars["reversed"].mean
    if min(shuffled, backwards) >= _AS_NEAR:
        return (
            f"Shuffled and reversed clips are as near as the clip itself ({shuffled:.2f}, {backwards:.2f}): the order "
            "of frames is not seen."
        )
    if backwards >= _AS_NEAR:
        return (
            f"A clip played backwards is as near as the clip itself ({backwards:.2f}): opening and closing look the "
            "same to these features."
        )
    if backwards >= _NEAR:
        return f"A clip played backwards is still near it ({backwards:.2f}): the direction of time is seen a little."
    return f"A clip played backwards is far from it ({backwards:.2f}): the direction of time is seen."


def _other_clip(bars: Mapping[str, Bar]) -> str:
    if OTHER_CLIP not in bars:
        return "No video is long enough for two clips."
    other = bars[OTHER_CLIP].mean
    if other >= _AS_NEAR:
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
    mirrored, gray, cropped = (bars[name].mean for name in ("mirrored", "gray", "cropped"))
    return [
        f"A mirrored clip is the same to these features ({mirrored:.2f}): left and right are not told apart. If they "
        "differ in your classes, pretrain with AUG.FLIP_PROBABILITY 0."
        if mirrored >= _AS_NEAR
        else "",
        f"Without colour a clip is a different one ({gray:.2f}): these features see colour. Pretrain with a higher "
        "AUG.COLOR_STRENGTH or AUG.GRAYSCALE_PROBABILITY if it does not matter in your classes."
        if gray < _NEAR
        else "",
        f"Cropped elsewhere a clip is a different one ({cropped:.2f}): these features see where things are and how "
        "large. Pretrain with a wider AUG.CROP_AREA if it does not matter in your classes."
        if cropped < _NEAR
        else "",
    ]


def _anisotropy(cosine_of_others: float) -> str:
    if cosine_of_others < _NEARLY_ALL_ALIKE:
        return ""
    return (
        f"The features of other videos have a cosine of {cosine_of_others:.5f}: the scale magnifies small differences. "
        "This is usual for random weights; a trained network may be collapsing."
    )


def _group(shares: Mapping[str, Share]) -> str:
    if SAME_GROUP not in shares:
        return ""
    share = shares[SAME_GROUP]
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
        return f"{said}."
    said += f"; of those in other groups {_percent(others)}{_chance(others)}"
    if _is_above_chance(share) and not _is_above_chance(others):
        return f"{said}: beyond the group there is no clear sign of the class."
    return f"{said}."


def _is_above_chance(share: Share) -> bool:
    return share.share - share.chance > _ERRORS * share.error


def _percent(share: Share) -> str:
    return f"{100 * share.share:.0f} %"


def _chance(share: Share) -> str:
    return f" (by chance {100 * share.chance:.0f} %)"
