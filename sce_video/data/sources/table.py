"""The sources by DATA.SOURCE."""

from collections.abc import Callable

from sce_video.data.sources.diving48 import DIVING48
from sce_video.data.sources.folders import CLASS_FOLDERS, FOLDER, FRAME_FOLDERS, IMAGE_FOLDERS
from sce_video.data.sources.imagenet import IMAGENET_100, TINY_IMAGENET
from sce_video.data.sources.jpeg_npz import JPEG_NPZ
from sce_video.data.sources.kinetics import KINETICS, KINETICS200
from sce_video.data.sources.lists import LIST
from sce_video.data.sources.moments_in_time import MOMENTS
from sce_video.data.sources.official_splits import HMDB51, UCF101
from sce_video.data.sources.pixels import CIFAR_10, CIFAR_100, STL_10
from sce_video.data.sources.shards import SHARDS
from sce_video.data.sources.something_something import SSV2
from sce_video.data.sources.source import Source

SOURCES: dict[str, Source] = {
    "list": LIST,
    "shards": SHARDS,
    "kinetics": KINETICS,
    "kinetics200": KINETICS200,
    "ucf101": UCF101,
    "hmdb51": HMDB51,
    "ssv2": SSV2,
    "diving48": DIVING48,
    "moments": MOMENTS,
    "class_folders": CLASS_FOLDERS,
    "frame_folders": FRAME_FOLDERS,
    "image_folders": IMAGE_FOLDERS,
    "folder": FOLDER,
    "imagenet100": IMAGENET_100,
    "tiny_imagenet": TINY_IMAGENET,
    "cifar10": CIFAR_10,
    "cifar100": CIFAR_100,
    "stl10": STL_10,
    "jpeg_npz": JPEG_NPZ,
}


def sources_where(holds: Callable[[Source], bool]) -> tuple[str, ...]:
    """Names of the sources that satisfy a condition, in this order."""
    return tuple(name for name, source in SOURCES.items() if holds(source))
