"""Manifests of each `DATA.SOURCE`, for training and for testing, from the config."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.build.files import build_index_folder
from sce_video.config.sections.data import SPLIT_MARK
from sce_video.data.sources import (
    ClassNames,
    class_folders,
    read_annotations,
    read_cifar10,
    read_cifar100,
    read_class_folders,
    read_folder,
    read_frame_folders,
    read_hmdb51,
    read_ids,
    read_image_folders,
    read_kinetics,
    read_list,
    read_moments,
    read_shards,
    read_ssv2,
    read_stl10,
    read_ucf101,
)
from sce_video.data.videos import ListedVideos
from sce_video.engine.remote import Location, location

_MINI_KINETICS_TRAIN, _MINI_KINETICS_TEST = "train_ytid_list.txt", "val_ytid_list.txt"


def _root(cfg: CfgNode) -> Location:
    return location(cfg.DATA.ROOT)


def _folder(cfg: CfgNode) -> Path:
    """DATA.ROOT of a source that reads no remote one."""
    return Path(cfg.DATA.ROOT)


def _splits(cfg: CfgNode) -> Path:
    return Path(cfg.DATA.SPLITS_DIR)


def _list(cfg: CfgNode, name: str) -> Location:
    return location(name.replace(SPLIT_MARK, str(cfg.DATA.SPLIT)))


def _read_list(cfg: CfgNode, name: str, class_names: ClassNames = dict) -> ListedVideos:
    return read_list(_list(cfg, name), _root(cfg), columns=cfg.DATA.LIST_COLUMNS, class_names=class_names)


def _listed_classes(cfg: CfgNode) -> Mapping[int, str] | None:
    """Of the training list, where the labels of the test list are names."""
    return _read_list(cfg, cfg.DATA.TRAIN).class_names if cfg.DATA.TRAIN else None


def _train_classes(cfg: CfgNode) -> list[str]:
    return class_folders(_root(cfg), cfg.DATA.TRAIN)


def _ucf101(cfg: CfgNode) -> tuple[ListedVideos, ListedVideos]:
    return read_ucf101(_root(cfg), _splits(cfg), cfg.DATA.SPLIT)


def _hmdb51(cfg: CfgNode) -> tuple[ListedVideos, ListedVideos]:
    return read_hmdb51(_root(cfg), _splits(cfg), cfg.DATA.SPLIT)


def _shards(cfg: CfgNode, pattern: str, class_names: ClassNames = dict) -> ListedVideos:
    return read_shards(pattern, _root(cfg), index_folder=build_index_folder(cfg), class_names=class_names)


def _shard_classes(cfg: CfgNode) -> Mapping[int, str] | None:
    """Of the training shards, where the labels of the test shards are names."""
    return _shards(cfg, cfg.DATA.TRAIN).class_names if cfg.DATA.TRAIN else None


def _kinetics(cfg: CfgNode, table: str) -> ListedVideos:
    class_names = read_annotations(location(cfg.DATA.TRAIN)).class_names
    return read_kinetics(read_annotations(location(table)), _root(cfg), class_names=class_names)


def _kinetics200(cfg: CfgNode, table: str, ids: str) -> ListedVideos:
    """Mini-Kinetics: of Kinetics-400's tables, the videos in its two lists."""
    train_ids = read_ids(_splits(cfg) / _MINI_KINETICS_TRAIN)
    class_names = read_annotations(location(cfg.DATA.TRAIN), only_ids=train_ids).class_names
    chosen = read_annotations(location(table), only_ids=read_ids(_splits(cfg) / ids))
    return read_kinetics(chosen, _root(cfg), class_names=class_names)


TRAIN_SOURCES: dict[str, Callable[[CfgNode], ListedVideos]] = {
    "list": lambda cfg: _read_list(cfg, cfg.DATA.TRAIN),
    "shards": lambda cfg: _shards(cfg, cfg.DATA.TRAIN),
    "kinetics": lambda cfg: _kinetics(cfg, cfg.DATA.TRAIN),
    "kinetics200": lambda cfg: _kinetics200(cfg, cfg.DATA.TRAIN, _MINI_KINETICS_TRAIN),
    "ucf101": lambda cfg: _ucf101(cfg)[0],
    "hmdb51": lambda cfg: _hmdb51(cfg)[0],
    "ssv2": lambda cfg: read_ssv2(_root(cfg), _splits(cfg), "train"),
    "moments": lambda cfg: read_moments(_root(cfg), _splits(cfg), "training"),
    "class_folders": lambda cfg: read_class_folders(_root(cfg), cfg.DATA.TRAIN),
    "frame_folders": lambda cfg: read_frame_folders(_root(cfg), cfg.DATA.TRAIN),
    "image_folders": lambda cfg: read_image_folders(_root(cfg), cfg.DATA.TRAIN),
    "folder": lambda cfg: read_folder(_root(cfg), cfg.DATA.TRAIN),
    "cifar10": lambda cfg: read_cifar10(_folder(cfg), "train"),
    "cifar100": lambda cfg: read_cifar100(_folder(cfg), "train"),
    "stl10": lambda cfg: read_stl10(_folder(cfg), cfg.DATA.TRAIN),
}
TEST_SOURCES: dict[str, Callable[[CfgNode], ListedVideos]] = {
    "list": lambda cfg: _read_list(cfg, cfg.DATA.TEST, partial(_listed_classes, cfg)),
    "shards": lambda cfg: _shards(cfg, cfg.DATA.TEST, partial(_shard_classes, cfg)),
    "kinetics": lambda cfg: _kinetics(cfg, cfg.DATA.TEST),
    "kinetics200": lambda cfg: _kinetics200(cfg, cfg.DATA.TEST, _MINI_KINETICS_TEST),
    "ucf101": lambda cfg: _ucf101(cfg)[1],
    "hmdb51": lambda cfg: _hmdb51(cfg)[1],
    "ssv2": lambda cfg: read_ssv2(_root(cfg), _splits(cfg), "validation"),
    "moments": lambda cfg: read_moments(_root(cfg), _splits(cfg), "validation"),
    "class_folders": lambda cfg: read_class_folders(_root(cfg), cfg.DATA.TEST, class_names=_train_classes(cfg)),
    "frame_folders": lambda cfg: read_frame_folders(_root(cfg), cfg.DATA.TEST, class_names=_train_classes(cfg)),
    "image_folders": lambda cfg: read_image_folders(_root(cfg), cfg.DATA.TEST, class_names=_train_classes(cfg)),
    "cifar10": lambda cfg: read_cifar10(_folder(cfg), "test"),
    "cifar100": lambda cfg: read_cifar100(_folder(cfg), "test"),
    "stl10": lambda cfg: read_stl10(_folder(cfg), "test"),
}
