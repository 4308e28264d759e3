"""Checks that involve several settings; the bounds of each one are in `sections/`."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.arguments import keyword_names
from sce_video.config.backbone_views import check_backbone_views
from sce_video.config.defaults import SETTINGS
from sce_video.config.remote import check_remote
from sce_video.config.sections.bounds import LEAST_SIDE_PIXELS
from sce_video.config.sections.data import SOURCES_WITH_SPLITS
from sce_video.config.sections.task import MEASURING_TASKS, TRAINING_TASKS
from sce_video.config.uses import get, why_unused
from sce_video.config.values import masked_repr
from sce_video.data.sources.lists import SPLIT_MARK
from sce_video.data.sources.table import SOURCES
from sce_video.errors import ConfigError
from sce_video.methods.table import METHODS
from sce_video.models.representation import RGB


def check_config(cfg: CfgNode) -> None:
    """Raise ConfigError, with key, value and fix, if settings contradict each other.

    Args:
        cfg: each value is within its own bounds; unused settings have their defaults.
    """
    _check_training(cfg)
    of_random = cfg.TASK != "floors" or cfg.EVAL.CHECKPOINT == ""
    _require(of_random, cfg, "EVAL.CHECKPOINT", 'TASK floors is of random weights; set it to ""')
    _check_views(cfg)
    check_backbone_views(cfg)
    _check_representation(cfg)
    _check_data(cfg)
    check_remote(cfg)


def _check_training(cfg: CfgNode) -> None:
    method = cfg.METHOD.NAME
    if cfg.METHOD.QUEUE_LENGTH == 0 and not cfg.METHOD.IN_BATCH_KEYS:
        takes_batch = "in_batch_keys" in keyword_names(METHODS[method])
        nothing = " and METHOD.IN_BATCH_KEYS is False: there is nothing to contrast with; set one of them"
        raise ConfigError(
            f"METHOD.QUEUE_LENGTH is 0{nothing if takes_batch else f'; METHOD.NAME {method} needs past keys'}"
        )
    has_predictor = cfg.MODEL.PREDICTOR_HIDDEN_DIM > 0 or not METHODS[method].NEEDS_PREDICTOR
    _require(
        has_predictor, cfg, "MODEL.PREDICTOR_HIDDEN_DIM", f"METHOD.NAME {method} needs a predictor, or it collapses"
    )
    parts, batch = cfg.TRAIN.ACCUMULATION_STEPS, cfg.TRAIN.GLOBAL_BATCH_SIZE
    _require(batch % parts == 0, cfg, "TRAIN.GLOBAL_BATCH_SIZE", f"TRAIN.ACCUMULATION_STEPS {parts} must divide it")
    _require(batch // parts >= 2, cfg, "TRAIN.GLOBAL_BATCH_SIZE", "batch norm needs 2 videos in each part")
    groups, fix = cfg.MODEL.MOMENTUM_NORM_GROUPS, f"it must divide the {batch // parts} videos of a part of the batch"
    _require(batch // parts % groups == 0, cfg, "MODEL.MOMENTUM_NORM_GROUPS", fix)
    epochs = cfg.TRAIN.NUM_EPOCHS
    for key in (key for key in SETTINGS if key.endswith("WARMUP_EPOCHS")):
        _require(get(cfg, key) <= epochs, cfg, key, f"it must not exceed TRAIN.NUM_EPOCHS {epochs}")
    final, base = cfg.OPTIM.FINAL_LR, cfg.OPTIM.BASE_LR
    _require(final <= base, cfg, "OPTIM.FINAL_LR", f"it must not exceed OPTIM.BASE_LR {base:g}")
    drops, warmup = cfg.OPTIM.DROP_EPOCHS, cfg.OPTIM.WARMUP_EPOCHS
    rise = drops == [0] or all(low < high for low, high in pairwise([max(warmup, 0.5), *drops, epochs]))
    between = f"they must rise, from above OPTIM.WARMUP_EPOCHS {warmup} to below TRAIN.NUM_EPOCHS {epochs}; 0: cosine"
    _require(rise, cfg, "OPTIM.DROP_EPOCHS", between)
    if cfg.TASK in TRAINING_TASKS and cfg.RUN.DEVICE == "cpu":
        _require(cfg.TRAIN.PRECISION != "fp16", cfg, "TRAIN.PRECISION", "RUN.DEVICE cpu needs fp32 or bf16")


def _check_views(cfg: CfgNode) -> None:
    kernel, side = cfg.AUG.BLUR_KERNEL_PIXELS, cfg.CLIP.SIZE_PIXELS
    _require(kernel // 2 < side, cfg, "AUG.BLUR_KERNEL_PIXELS", f"half of it must fit in CLIP.SIZE_PIXELS {side}")
    if cfg.AUG.VIEW_1_IS_WEAK:
        for key in ("AUG.BLUR_PROBABILITIES", "AUG.SOLARIZE_PROBABILITIES"):
            _require(get(cfg, key)[0] == 0, cfg, key, "AUG.VIEW_1_IS_WEAK needs 0 for view 1")
    is_possible = cfg.CLIP.NUM_GLOBAL_VIEWS == 2 or cfg.CLIP.PAIR == "independent"
    fix = f"it is for two global views, CLIP.NUM_GLOBAL_VIEWS is {cfg.CLIP.NUM_GLOBAL_VIEWS}; use independent"
    _require(is_possible, cfg, "CLIP.PAIR", fix)
    if cfg.CLIP.LOCAL_SIZES_PIXELS != [0]:
        _check_local_views(cfg)
    if cfg.AUG.CROP == "short_side":
        least = cfg.AUG.CROP_SHORT_SIDE_PIXELS[0]
        _require(side <= least, cfg, "CLIP.SIZE_PIXELS", f"it must not exceed AUG.CROP_SHORT_SIDE_PIXELS {least}")
    resized, crop = cfg.EVAL.RESIZE_PIXELS, cfg.EVAL.SIZE_PIXELS
    _require(
        resized == 0 or resized >= crop, cfg, "EVAL.RESIZE_PIXELS", f"it must be 0 or at least EVAL.SIZE_PIXELS {crop}"
    )
    strength, hue_share = cfg.AUG.COLOR_STRENGTH, cfg.AUG.JITTER_SHARES[3]
    most = 0.5 / hue_share if hue_share else math.inf
    _require(strength <= most, cfg, "AUG.COLOR_STRENGTH", f"it must be between 0 and {most:g} (hue 0.5)")


def _check_local_views(cfg: CfgNode) -> None:
    sides, areas = cfg.CLIP.LOCAL_SIZES_PIXELS, cfg.AUG.LOCAL_CROP_AREAS
    fix = f"every value must be at least {LEAST_SIDE_PIXELS}"
    _require(min(sides) >= LEAST_SIDE_PIXELS, cfg, "CLIP.LOCAL_SIZES_PIXELS", fix)
    reach, least = cfg.AUG.BLUR_KERNEL_PIXELS // 2, min(sides)
    _require(reach < least, cfg, "AUG.BLUR_KERNEL_PIXELS", f"half of it must fit in CLIP.LOCAL_SIZES_PIXELS {least}")
    fix = f"give least and most for all {len(sides)} local views or for each"
    _require(len(areas) in (2, 2 * len(sides)), cfg, "AUG.LOCAL_CROP_AREAS", fix)
    rise = all(least <= most for least, most in zip(areas[::2], areas[1::2], strict=True))
    _require(rise, cfg, "AUG.LOCAL_CROP_AREAS", "the first value of a pair must not exceed the second")
    _require(cfg.AUG.CROP == "area", cfg, "AUG.CROP", "local views need area")


def _check_representation(cfg: CfgNode) -> None:
    """Differences need two frames in every view, and frames that are not differences already."""
    seen = cfg.MODEL.REPRESENTATION
    if seen == RGB:
        return
    _require(cfg.CLIP.NUM_FRAMES > 1, cfg, "CLIP.NUM_FRAMES", f"MODEL.REPRESENTATION {seen} needs two frames or more")
    _require(
        cfg.CLIP.LOCAL_NUM_FRAMES != 1, cfg, "CLIP.LOCAL_NUM_FRAMES", f"MODEL.REPRESENTATION {seen} needs two or more"
    )
    fix = f"it must be 0 with MODEL.REPRESENTATION {seen}: "
    _require(cfg.DATA.IMAGE_SHARE == 0, cfg, "DATA.IMAGE_SHARE", f"{fix}an image has no differences")
    for key in ("AUG.TEMPORAL_DIFFERENCE_PROBABILITY", "AUG.WEAK_TEMPORAL_DIFFERENCE_PROBABILITY"):
        is_off = get(cfg, key) == 0 or why_unused(cfg, key) != ""
        _require(is_off, cfg, key, f"{fix}the network would see differences of differences")


def _check_data(cfg: CfgNode) -> None:
    source, measures = SOURCES[cfg.DATA.SOURCE], cfg.TASK in MEASURING_TASKS
    _require(source.read_test is not None or not measures, cfg, "DATA.SOURCE", f"TASK {cfg.TASK} needs labels")
    _check_list(cfg, "DATA.", parts=source.parts[:1] if measures else source.parts)
    if cfg.DATA.IMAGE_SHARE > 0:
        _check_list(cfg, "DATA.IMAGE_", parts=SOURCES[cfg.DATA.IMAGE_SOURCE].parts)
    if cfg.DATA.ON_DEVICE:
        _check_on_device(cfg)
    if cfg.EVAL.SPLITS != [0]:
        _check_splits(cfg)
    if source.has_test_list and measures:
        _require(cfg.DATA.TRAIN != "", cfg, "DATA.TRAIN", f"TASK {cfg.TASK} needs training videos")
        _require(cfg.DATA.TEST != "", cfg, "DATA.TEST", f"TASK {cfg.TASK} needs test videos")
        same = Path(cfg.DATA.TEST) == Path(cfg.DATA.TRAIN)
        _require(not same, cfg, "DATA.TEST", "these are the training videos; give others")


def _check_list(cfg: CfgNode, prefix: str, *, parts: Sequence[str]) -> None:
    """The list whose keys begin with `prefix`, of which `parts` can be used."""
    name = get(cfg, f"{prefix}SOURCE")
    source, root, train = SOURCES[name], f"{prefix}ROOT", f"{prefix}TRAIN"
    for key, meaning in source.needs.items():
        key = key.replace("DATA.", prefix)
        _require(get(cfg, key) != "", cfg, key, f"{prefix}SOURCE {name} needs {meaning}")
    if source.train == "folder":
        given = get(cfg, root) != "" or get(cfg, train) != ""
        _require(given, cfg, root, f"{prefix}SOURCE {name} needs a folder of videos")
    if source.train == "part":
        fix = f"TASK {cfg.TASK} on {name} can use {', '.join(parts)}"
        _require(get(cfg, train) in parts, cfg, train, fix)


def _check_on_device(cfg: CfgNode) -> None:
    for key, value in {"CLIP.NUM_FRAMES": 1, "DATA.SHORT_SIDE_PIXELS": 0, "DATA.IMAGE_SHARE": 0}.items():
        _require(get(cfg, key) == value, cfg, key, f"DATA.ON_DEVICE needs {value}")


def _check_splits(cfg: CfgNode) -> None:
    splits, source = cfg.EVAL.SPLITS, cfg.DATA.SOURCE
    distinct = len(set(splits)) == len(splits) and 0 not in splits
    _require(distinct, cfg, "EVAL.SPLITS", "list each of 1, 2, 3 at most once")
    has_mark = source == "list" and SPLIT_MARK in cfg.DATA.TRAIN and SPLIT_MARK in cfg.DATA.TEST
    in_both = f"list with {SPLIT_MARK} in DATA.TRAIN and DATA.TEST"
    fix = f"only DATA.SOURCE {SOURCES_WITH_SPLITS}, or {in_both}, has splits"
    _require(SOURCES[source].has_splits or has_mark, cfg, "EVAL.SPLITS", fix)


def _require(holds: bool, cfg: CfgNode, key: str, fix: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {masked_repr(get(cfg, key))}; {fix}")
