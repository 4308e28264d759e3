"""Facts about a folder and a machine: all that the settings are chosen from."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

import torch

from sce_video.cli.init_config.groups import Groups, find_groups
from sce_video.cli.init_config.layout import Layout
from sce_video.cli.init_config.look import Sample, Seen, mean_difference
from sce_video.engine.machine import cores, gpu_names
from sce_video.errors import UserError

# A pixel of a map that changes by less, in gray levels, within a second stands still; noise and compression stay below.
_STILL_LEVELS = 12.0
# If more of the picture stands still, the camera does.
_STILL_PIXELS = 0.6
# Words of a name such as turn_left, LeftHand, LEFT2.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SIDED = re.compile(
    r"(left|right)(wards?)?|(anti|counter)?clockwise|links|rechts|gauche|droite|sinistra|destra|izquierda|derecha"
)
_NUM_NAMED = 3


@dataclass(frozen=True)
class Spread:
    """Least, median and greatest value."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Machine:
    """`gpu_gib` is the memory of one GPU, None without; `is_here`: it is in this machine, and can be measured."""

    num_cores: int
    gpu_gib: float | None
    is_here: bool = True


@dataclass(frozen=True)
class Movement:
    """Of the videos of which different frames were seen.

    Attributes:
        spacing: time between two frames that are compared, seconds.
        difference: mean difference of such frames of a video, gray levels.
        still_share: share of the videos whose camera stands still.
    """

    spacing: Spread
    difference: float
    still_share: float


@dataclass(frozen=True)
class Facts:
    """What was seen of the videos.

    Attributes:
        num_videos: listed; of `num_seen` and the failures something is known.
        failures: "path: reason", of the videos that cannot be decoded.
        size: the commonest height and width.
        movement: None if different frames were seen of no video.
        between: mean difference of frames of any two videos, gray levels.
        sided_names: names of classes that a mirror image would exchange.
    """

    num_videos: int
    num_seen: int
    failures: Sequence[str]
    is_image: bool
    seconds: Spread
    fps: Spread
    short_side: Spread
    size: tuple[int, int]
    movement: Movement | None
    between: float
    class_names: Sequence[str]
    sided_names: Sequence[str]
    groups: Groups | None

    @property
    def noun(self) -> str:
        return "image" if self.is_image else "video"

    @property
    def failed_share(self) -> float:
        return len(self.failures) / (self.num_seen + len(self.failures))

    @property
    def num_usable(self) -> int:
        """Videos that can probably be decoded."""
        return round(self.num_videos * (1 - self.failed_share))


def facts_of(layout: Layout, sample: Sample) -> Facts:
    """
    Raises:
        UserError: nothing can be decoded.
    """
    listed, seen = layout.listed, list(sample.seen.values())
    failures = [sample.failures[video].removeprefix(f"{layout.root}/") for video in sorted(sample.failures)]
    if not seen:
        raise UserError(
            f"none of the {len(failures)} videos tried of {listed.origin} can be decoded, such as {failures[0]}; check "
            "them with tools/prepare_data.py SRC DST --check"
        )
    is_image = layout.is_image or median(each.num_frames for each in seen) == 1
    return Facts(
        num_videos=len(listed),
        num_seen=len(seen),
        failures=failures,
        is_image=is_image,
        seconds=_spread([each.seconds for each in seen]),
        fps=_spread([each.fps for each in seen]),
        short_side=_spread([min(each.height, each.width) for each in seen]),
        size=Counter((each.height, each.width) for each in seen).most_common(1)[0][0],
        movement=_movement([each for each in seen if len(each.maps) > 1]),
        between=_between(seen),
        class_names=layout.class_names,
        sided_names=[name for name in layout.class_names if _is_sided(name)],
        groups=find_groups(list(listed.paths), sample),
    )


def this_machine(gpu_gib: float | None) -> Machine:
    """The cores of this machine, and its first GPU unless another memory is given."""
    is_here = bool(gpu_names())
    if gpu_gib is None and is_here:
        gpu_gib = torch.cuda.get_device_properties(0).total_memory / 2**30
    return Machine(cores().usable, gpu_gib, is_here or gpu_gib is None)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min(values), median(values), max(values))


def _is_sided(name: str) -> bool:
    return any(_SIDED.fullmatch(word.lower()) for word in _WORD.findall(name))


def _movement(seen: Sequence[Seen]) -> Movement | None:
    """None without videos."""
    if not seen:
        return None
    return Movement(
        spacing=_spread([each.spacing_seconds for each in seen]),
        difference=mean(mean_difference(each.maps[1:], each.maps[:-1]) for each in seen),
        still_share=mean(map(_is_still, seen)),
    )


def _is_still(seen: Seen) -> bool:
    change = seen.maps.amax(dim=0) - seen.maps.amin(dim=0)
    return float((change < _STILL_LEVELS).float().mean()) > _STILL_PIXELS


def _between(seen: Sequence[Seen]) -> float:
    """Mean over all pairs of the difference of middle frames: neighbours in a list may be of one session."""
    middles = torch.stack([each.maps[len(each.maps) // 2].flatten() for each in seen])
    return float(torch.pdist(middles, p=1).mean()) / middles.shape[1] if len(seen) > 1 else 0.0
