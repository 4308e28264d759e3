"""What the values of a config must satisfy together; what each may be stands in `defaults.py`."""

import math
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.config.defaults import SETTINGS
from sce_video.config.remote import check_remote
from sce_video.config.sections.data import SOURCES_WITH_TWO_LISTS, SPLIT_MARK
from sce_video.config.sections.task import MEASURING_TASKS, TRAINING_TASKS
from sce_video.config.uses import get
from sce_video.config.values import shown
from sce_video.errors import ConfigError
from sce_video.methods.table import METHODS

# of Source: keys without which one has nothing to read.
_NEEDED_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("list", "shards"), ("DATA.TRAIN",)),
    "kinetics": ("DATA.ROOT", "DATA.TRAIN"),
    "kinetics200": ("DATA.ROOT", "DATA.TRAIN", "DATA.SPLITS_DIR"),
    **dict.fromkeys(("ucf101", "hmdb51", "ssv2", "moments"), ("DATA.ROOT", "DATA.SPLITS_DIR")),
    **dict.fromkeys(("cifar10", "cifar100", "stl10"), ("DATA.ROOT",)),
}
_WHAT_IS_NEEDED = {
    "DATA.ROOT": "the folder of the videos",
    "DATA.TRAIN": "the list of training videos",
    "DATA.SPLITS_DIR": "the folder of the official files",
}
_FOLDER_SOURCES = ("class_folders", "frame_folders", "image_folders", "folder")


def check_config(cfg: CfgNode) -> None:
    """Raise ConfigError, naming key, value and way out, for keys that contradict each other.

    Args:
        cfg: each value within its own bounds, what is not used at its default.
    """
    _check_training(cfg)
    _check_views(cfg)
    _check_data(cfg)
    check_remote(cfg)


def _check_training(cfg: CfgNode) -> None:
    if cfg.METHOD.QUEUE_LENGTH == 0 and not cfg.METHOD.IN_BATCH_KEYS:
        raise ConfigError(
            "METHOD.QUEUE_LENGTH is 0 and METHOD.IN_BATCH_KEYS is False: there is nothing to contrast with; "
            "give one of them"
        )
    method = cfg.METHOD.NAME
    has_predictor = cfg.MODEL.PREDICTOR_HIDDEN_DIM > 0 or not METHODS[method].NEEDS_PREDICTOR
    _require(
        has_predictor, cfg, "MODEL.PREDICTOR_HIDDEN_DIM", f"METHOD.NAME {method} needs a predictor, or it collapses"
    )
    parts, batch = cfg.TRAIN.ACCUMULATION_STEPS, cfg.TRAIN.GLOBAL_BATCH_SIZE
    _require(batch % parts == 0, cfg, "TRAIN.GLOBAL_BATCH_SIZE", f"TRAIN.ACCUMULATION_STEPS {parts} must divide it")
    _require(batch // parts >= 2, cfg, "TRAIN.GLOBAL_BATCH_SIZE", "batch norm needs 2 videos in each part")
    epochs = cfg.TRAIN.NUM_EPOCHS
    for key in (key for key in SETTINGS if key.endswith("WARMUP_EPOCHS")):
        _require(get(cfg, key) <= epochs, cfg, key, f"it must not exceed TRAIN.NUM_EPOCHS {epochs}")
    final, base = cfg.OPTIM.FINAL_LR, cfg.OPTIM.BASE_LR
    _require(final <= base, cfg, "OPTIM.FINAL_LR", f"it must not exceed OPTIM.BASE_LR {base:g}")
    if cfg.TASK in TRAINING_TASKS and cfg.RUN.DEVICE == "cpu":
        _require(cfg.TRAIN.PRECISION != "fp16", cfg, "TRAIN.PRECISION", "RUN.DEVICE cpu trains in fp32")


def _check_views(cfg: CfgNode) -> None:
    kernel, side = cfg.AUG.BLUR_KERNEL_PIXELS, cfg.CLIP.SIZE_PIXELS
    _require(kernel // 2 < side, cfg, "AUG.BLUR_KERNEL_PIXELS", f"half of it must fit in CLIP.SIZE_PIXELS {side}")
    if cfg.AUG.CROP == "short_side":
        least = cfg.AUG.CROP_SHORT_SIDE_PIXELS[0]
        _require(side <= least, cfg, "CLIP.SIZE_PIXELS", f"AUG.CROP_SHORT_SIDE_PIXELS begins at {least}")
    strength, hue_share = cfg.AUG.COLOR_STRENGTH, cfg.AUG.JITTER_SHARES[3]
    most = 0.5 / hue_share if hue_share else math.inf
    _require(strength <= most, cfg, "AUG.COLOR_STRENGTH", f"it must lie between 0 and {most:g} (hue 0.5)")


def _check_data(cfg: CfgNode) -> None:
    source, evaluates = cfg.DATA.SOURCE, cfg.TASK in MEASURING_TASKS
    _require(not (evaluates and source == "folder"), cfg, "DATA.SOURCE", f"TASK {cfg.TASK} needs labels")
    for key in _NEEDED_KEYS.get(source, ()):
        _require(get(cfg, key) != "", cfg, key, f"DATA.SOURCE {source} needs {_WHAT_IS_NEEDED[key]}")
    if source in _FOLDER_SOURCES:
        given = cfg.DATA.ROOT != "" or cfg.DATA.TRAIN != ""
        _require(given, cfg, "DATA.ROOT", f"DATA.SOURCE {source} needs a folder of videos")
    if source == "stl10":
        parts = ("train",) if evaluates else ("train", "unlabeled", "train+unlabeled")
        _require(cfg.DATA.TRAIN in parts, cfg, "DATA.TRAIN", f"TASK {cfg.TASK} on stl10 reads {', '.join(parts)}")
    if cfg.EVAL.SPLITS != [0]:
        _check_splits(cfg)
    if source in SOURCES_WITH_TWO_LISTS and evaluates:
        _require(cfg.DATA.TRAIN != "", cfg, "DATA.TRAIN", f"TASK {cfg.TASK} needs training videos")
        _require(cfg.DATA.TEST != "", cfg, "DATA.TEST", f"TASK {cfg.TASK} needs test videos")
        same = Path(cfg.DATA.TEST) == Path(cfg.DATA.TRAIN)
        _require(not same, cfg, "DATA.TEST", "these are the training videos; test on others")


def _check_splits(cfg: CfgNode) -> None:
    splits, source = cfg.EVAL.SPLITS, cfg.DATA.SOURCE
    distinct = len(set(splits)) == len(splits) and 0 not in splits
    _require(distinct, cfg, "EVAL.SPLITS", "give each of 1, 2, 3 once at most")
    marked = source == "list" and SPLIT_MARK in cfg.DATA.TRAIN and SPLIT_MARK in cfg.DATA.TEST
    way_out = f"only DATA.SOURCE ucf101, hmdb51, or list with {SPLIT_MARK} in DATA.TRAIN and DATA.TEST, has splits"
    _require(source in ("ucf101", "hmdb51") or marked, cfg, "EVAL.SPLITS", way_out)


def _require(holds: bool, cfg: CfgNode, key: str, way_out: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {shown(get(cfg, key))}; {way_out}")
