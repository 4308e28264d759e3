"""Readers of lists and data sets, one module per family; each returns `ListedVideos`."""

from sce_video.data.sources.class_names import ClassNames
from sce_video.data.sources.diving48 import read_diving48
from sce_video.data.sources.folders import (
    class_folders,
    read_class_folders,
    read_folder,
    read_frame_folders,
    read_image_folders,
)
from sce_video.data.sources.imagenet import read_imagenet100, read_tiny_imagenet
from sce_video.data.sources.jpeg_npz import read_jpeg_npz
from sce_video.data.sources.kinetics import read_annotations, read_ids, read_kinetics
from sce_video.data.sources.lists import read_list
from sce_video.data.sources.moments_in_time import read_moments
from sce_video.data.sources.official_splits import read_hmdb51, read_ucf101
from sce_video.data.sources.pixels import read_cifar10, read_cifar100, read_stl10
from sce_video.data.sources.shards import read_shards
from sce_video.data.sources.something_something import read_ssv2

__all__ = [
    "ClassNames",
    "class_folders",
    "read_annotations",
    "read_cifar10",
    "read_cifar100",
    "read_class_folders",
    "read_diving48",
    "read_folder",
    "read_frame_folders",
    "read_hmdb51",
    "read_ids",
    "read_image_folders",
    "read_imagenet100",
    "read_jpeg_npz",
    "read_kinetics",
    "read_list",
    "read_moments",
    "read_shards",
    "read_ssv2",
    "read_stl10",
    "read_tiny_imagenet",
    "read_ucf101",
]
