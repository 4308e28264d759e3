"""What a config must satisfy beyond types: ranges, choices and keys that contradict each other."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.config.defaults import default_config
from sce_video.config.remote import check_remote, check_secrets
from sce_video.config.urls import masked
from sce_video.errors import ConfigError

TASKS = ("pretrain", "finetune", "linear", "linear_features", "knn", "retrieval", "extract")
TRAINING_TASKS = ("pretrain", "finetune", "linear")
# In the name of a list: stands for DATA.SPLIT.
SPLIT_MARK = "{split}"

CHOICES: dict[str, tuple[Any, ...]] = {
    "TASK": TASKS,
    "DATA.SOURCE": (
        *("list", "shards", "kinetics", "kinetics200", "ucf101", "hmdb51", "ssv2", "moments"),
        *("class_folders", "frame_folders", "image_folders", "folder", "cifar10", "cifar100", "stl10"),
    ),
    "DATA.LIST_COLUMNS": (
        *("", "path", "path,label", "path,num_frames", "path,num_frames,label", "path,label,num_frames"),
    ),
    "DATA.SPLIT": (1, 2, 3),
    "DATA.DECODER": ("auto", "pyav", "torchcodec", "decord"),
    "CLIP.FRAME_CHOICE": ("uniform", "strided", "jittered"),
    "CLIP.PAIR": ("independent", "distance", "decreasing"),
    "AUG.CROP": ("area", "short_side"),
    "EVAL.CLIPS": ("evenly_spaced", "half_overlapping", "full_coverage"),
    "MODEL.BACKBONE": ("r2plus1d_18", "r3d_18", "s3d", "slow_r50", "r2plus1d_mini"),
    **dict.fromkeys(
        (f"METHOD.{name}_WARMUP_SHAPE" for name in ("COEFF", "TEMPERATURE", "TARGET_TEMPERATURE")), ("linear", "cosine")
    ),
    "OPTIM.NAME": ("lars", "sgd", "adamw"),
    "TRAIN.PRECISION": ("fp32", "bf16", "fp16"),
    "EVAL.NUM_CROPS": (1, 3),
    "EVAL.RETRIEVAL_LEVEL": ("video", "clip"),
    "EVAL.SEARCH": ("torch", "faiss"),
    "RUN.DEVICE": ("auto", "cpu", "cuda"),
}

_AT_LEAST: dict[str, float] = {
    "DATA.NUM_WORKERS": -1,
    "DATA.PREFETCH_BATCHES": 1,
    "DATA.SHORT_SIDE_PIXELS": 0,
    "CLIP.NUM_FRAMES": 1,
    "CLIP.FRAME_STRIDE": 1,
    "CLIP.SIZE_PIXELS": 32,
    "MODEL.PREDICTOR_HIDDEN_DIM": 0,
    "MODEL.NUM_TRAINED_BLOCKS": -1,
    "METHOD.QUEUE_LENGTH": 0,
    "METHOD.COEFF_WARMUP_EPOCHS": 0,
    "METHOD.TEMPERATURE_WARMUP_EPOCHS": 0,
    "METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS": 0,
    "OPTIM.BASE_LR": 0,
    "OPTIM.FINAL_LR": 0,
    "OPTIM.WARMUP_EPOCHS": 0,
    "OPTIM.WEIGHT_DECAY": 0,
    "TRAIN.NUM_EPOCHS": 1,
    "TRAIN.GLOBAL_BATCH_SIZE": 1,
    "TRAIN.ACCUMULATION_STEPS": 1,
    "TRAIN.LOG_EVERY_STEPS": 1,
    "TRAIN.CHECKPOINT_EVERY_STEPS": 0,
    "TRAIN.CHECKPOINT_EVERY_EPOCHS": 0,
    "TRAIN.NUM_CHECKPOINTS_KEPT": 1,
    "TRAIN.STOP_AT_STEP": 0,
    "TRAIN.MIXUP_ALPHA": 0,
    "EVAL.NUM_CLIPS": 1,
    "EVAL.SIZE_PIXELS": 32,
    "EVAL.LOCAL_BATCH_SIZE": 1,
}

_ABOVE_ZERO = (
    "DATA.FRAMES_FPS",
    "DATA.CACHE_GB",
    "CLIP.DISTANCE_POWER",
    "DATA.VIDEO_TIMEOUT_SECONDS",
    "CLIP.SECONDS",
    "METHOD.TEMPERATURE",
    "METHOD.TARGET_TEMPERATURE",
    "METHOD.TEMPERATURE_START",
    "METHOD.TARGET_TEMPERATURE_START",
    "OPTIM.LAYER_DECAY",
    "EVAL.LABEL_SHARE",
    "EVAL.LINEAR_HELD_OUT_SHARE",
)

_SHARES = (
    "CLIP.DURATION_JITTER",
    "DATA.MAX_FAILED_SHARE",
    "AUG.TEMPORAL_DIFFERENCE_PROBABILITY",
    "AUG.JITTER_PROBABILITY",
    "AUG.GRAYSCALE_PROBABILITY",
    "AUG.BLUR_PROBABILITIES",
    "AUG.SOLARIZE_PROBABILITIES",
    "AUG.FLIP_PROBABILITY",
    "AUG.CROP_AREA",
    "MODEL.DROPOUT",
    "TRAIN.LABEL_SMOOTHING",
    "OPTIM.LAYER_DECAY",
    "EVAL.LABEL_SHARE",
    "EVAL.LINEAR_HELD_OUT_SHARE",
    "METHOD.COEFF",
    "METHOD.COEFF_START",
    "METHOD.EMA_MOMENTUM",
    "OPTIM.SGD_MOMENTUM",
)

_LENGTHS = {
    "CLIP.DISTANCE_SECONDS": 2,
    "AUG.CROP_AREA": 2,
    "AUG.CROP_ASPECT": 2,
    "AUG.CROP_SHORT_SIDE_PIXELS": 2,
    "AUG.JITTER_SHARES": 4,
    "AUG.BLUR_PROBABILITIES": 2,
    "AUG.BLUR_SIGMA_PIXELS": 2,
    "AUG.SOLARIZE_PROBABILITIES": 2,
    "AUG.MEAN": 3,
    "AUG.STD": 3,
}

_RISING = (
    *("CLIP.DISTANCE_SECONDS", "AUG.CROP_AREA", "AUG.CROP_ASPECT", "AUG.CROP_SHORT_SIDE_PIXELS"),
    "AUG.BLUR_SIGMA_PIXELS",
)

# Keys that change nothing unless another key has this value: set all the same, they would make a config lie.
_USED_BY = {
    "DATA.LIST_COLUMNS": ("DATA.SOURCE", "list"),
    "CLIP.DISTANCE_SECONDS": ("CLIP.PAIR", "distance"),
    "CLIP.DISTANCE_POWER": ("CLIP.PAIR", "decreasing"),
    "CLIP.FRAME_STRIDE": ("CLIP.FRAME_CHOICE", "strided"),
    "EVAL.NUM_CLIPS": ("EVAL.CLIPS", "evenly_spaced"),
    "AUG.CROP_AREA": ("AUG.CROP", "area"),
    "AUG.CROP_ASPECT": ("AUG.CROP", "area"),
    "AUG.CROP_SHORT_SIDE_PIXELS": ("AUG.CROP", "short_side"),
    **dict.fromkeys(
        (
            *("MODEL.DROPOUT", "MODEL.NUM_TRAINED_BLOCKS", "OPTIM.LAYER_DECAY"),
            *("TRAIN.LABEL_SMOOTHING", "TRAIN.MIXUP_ALPHA"),
        ),
        ("TASK", "finetune"),
    ),
}

# Keys without which a source has nothing to read.
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
SOURCES_WITH_TWO_LISTS = (
    *("list", "shards", "kinetics", "kinetics200", "class_folders", "frame_folders", "image_folders"),
)

_ALL_ABOVE_ZERO = (
    *("CLIP.SPEEDS", "AUG.CROP_AREA", "AUG.CROP_ASPECT", "AUG.BLUR_SIGMA_PIXELS", "AUG.STD"),
    *("MODEL.PROJECTOR_DIMS", "EVAL.RETRIEVAL_RANKS", "EVAL.KNN_NUM_NEIGHBORS", "EVAL.KNN_TEMPERATURES"),
    "EVAL.LINEAR_WEIGHT_DECAYS",
)


def check_config(cfg: CfgNode) -> None:
    """Raise ConfigError, naming key, value and way out, for a config that cannot be run as it says."""
    check_secrets(cfg)  # first: what the others say shows values
    for key, choices in CHOICES.items():
        _require(_get(cfg, key) in choices, cfg, key, f"choose one of {', '.join(map(str, choices))}")
    for key, least in _AT_LEAST.items():
        _require(_get(cfg, key) >= least, cfg, key, f"it must be at least {least}")
    for key in _ABOVE_ZERO:
        _require(_get(cfg, key) > 0, cfg, key, "it must be above 0")
    for key, length in _LENGTHS.items():
        _require(len(_get(cfg, key)) == length, cfg, key, f"it must have {length} values")
    for key in _SHARES:
        _require(all(0 <= v <= 1 for v in _values(_get(cfg, key))), cfg, key, "it must lie between 0 and 1")
    for key in _ALL_ABOVE_ZERO:
        _require(all(v > 0 for v in _get(cfg, key)), cfg, key, "every value must be above 0")
    for key in _RISING:
        low, high = _get(cfg, key)
        _require(low <= high, cfg, key, "the first value must not exceed the second")
    for key, (switch, choice) in _USED_BY.items():
        used = _get(cfg, switch) == choice or _get(cfg, key) == _get(default_config(), key)
        _require(used, cfg, key, f"only {switch} {choice} uses it")
    _check_pretraining(cfg)
    _check_evaluation(cfg)
    _check_views(cfg)
    _check_data(cfg)
    check_remote(cfg)


def _check_pretraining(cfg: CfgNode) -> None:
    if cfg.METHOD.QUEUE_LENGTH == 0 and not cfg.METHOD.IN_BATCH_KEYS:
        raise ConfigError(
            "METHOD.QUEUE_LENGTH is 0 and METHOD.IN_BATCH_KEYS is False: there is nothing to contrast with; "
            "give one of them"
        )
    parts, batch = cfg.TRAIN.ACCUMULATION_STEPS, cfg.TRAIN.GLOBAL_BATCH_SIZE
    _require(batch % parts == 0, cfg, "TRAIN.GLOBAL_BATCH_SIZE", f"TRAIN.ACCUMULATION_STEPS {parts} must divide it")
    _require(batch // parts >= 2, cfg, "TRAIN.GLOBAL_BATCH_SIZE", "batch norm needs 2 videos in each part")
    epochs = cfg.TRAIN.NUM_EPOCHS
    for key in (
        "OPTIM.WARMUP_EPOCHS",
        "METHOD.COEFF_WARMUP_EPOCHS",
        "METHOD.TEMPERATURE_WARMUP_EPOCHS",
        "METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS",
    ):
        _require(_get(cfg, key) <= epochs, cfg, key, f"it must not exceed TRAIN.NUM_EPOCHS {epochs}")
    final, base = cfg.OPTIM.FINAL_LR, cfg.OPTIM.BASE_LR
    _require(final <= base, cfg, "OPTIM.FINAL_LR", f"it must not exceed OPTIM.BASE_LR {base:g}")
    excludes = cfg.OPTIM.NAME == "lars" and cfg.OPTIM.DECAYS_NORMS_AND_BIASES
    _require(not excludes, cfg, "OPTIM.DECAYS_NORMS_AND_BIASES", "OPTIM.NAME lars never decays them")
    if cfg.TASK in TRAINING_TASKS and cfg.RUN.DEVICE == "cpu":
        _require(cfg.TRAIN.PRECISION != "fp16", cfg, "TRAIN.PRECISION", "RUN.DEVICE cpu trains in fp32")


def _check_evaluation(cfg: CfgNode) -> None:
    _require(cfg.EVAL.LINEAR_HELD_OUT_SHARE < 1, cfg, "EVAL.LINEAR_HELD_OUT_SHARE", "it must be below 1")
    if cfg.TASK in TRAINING_TASKS:
        _require(cfg.EVAL.FEATURES_DIR == "", cfg, "EVAL.FEATURES_DIR", f"TASK {cfg.TASK} keeps none")
    if cfg.TASK in ("finetune", "linear"):
        _require(
            cfg.CLIP.PAIR == "independent", cfg, "CLIP.PAIR", f"TASK {cfg.TASK} sees one clip of a video at a time"
        )
    if cfg.TASK == "pretrain":
        _require(cfg.EVAL.LABEL_SHARE == 1, cfg, "EVAL.LABEL_SHARE", "TASK pretrain uses no labels")
    if cfg.TASK != "retrieval":
        _require(cfg.EVAL.RETRIEVAL_LEVEL == "video", cfg, "EVAL.RETRIEVAL_LEVEL", "only TASK retrieval uses it")


def _check_views(cfg: CfgNode) -> None:
    _require(cfg.CLIP.DISTANCE_SECONDS[0] >= 0, cfg, "CLIP.DISTANCE_SECONDS", "distances are not negative")
    _require(cfg.MODEL.DROPOUT < 1, cfg, "MODEL.DROPOUT", "it must be below 1")
    _require(cfg.CLIP.DURATION_JITTER < 1, cfg, "CLIP.DURATION_JITTER", "it must be below 1")
    _require(len(cfg.CLIP.SPEEDS) > 0, cfg, "CLIP.SPEEDS", "give at least one speed")
    if cfg.CLIP.FRAME_CHOICE == "strided":
        for key in ("CLIP.SPEEDS", "CLIP.DURATION_JITTER"):
            unchanged = _get(cfg, key) == _get(default_config(), key)
            _require(unchanged, cfg, key, "it changes nothing with CLIP.FRAME_CHOICE strided; take uniform")
    kernel, side = cfg.AUG.BLUR_KERNEL_PIXELS, cfg.CLIP.SIZE_PIXELS
    _require(kernel >= 1 and kernel % 2 == 1, cfg, "AUG.BLUR_KERNEL_PIXELS", "it must be odd and above 0")
    _require(kernel // 2 < side, cfg, "AUG.BLUR_KERNEL_PIXELS", f"half of it must fit in CLIP.SIZE_PIXELS {side}")
    if cfg.AUG.CROP == "short_side":
        least = cfg.AUG.CROP_SHORT_SIDE_PIXELS[0]
        _require(side <= least, cfg, "CLIP.SIZE_PIXELS", f"AUG.CROP_SHORT_SIDE_PIXELS begins at {least}")
    _require(all(share >= 0 for share in cfg.AUG.JITTER_SHARES), cfg, "AUG.JITTER_SHARES", "none may be negative")
    strength, hue_share = cfg.AUG.COLOR_STRENGTH, cfg.AUG.JITTER_SHARES[3]
    most = 0.5 / hue_share if hue_share else math.inf
    _require(0 <= strength <= most, cfg, "AUG.COLOR_STRENGTH", f"it must lie between 0 and {most:g} (hue 0.5)")


def _check_data(cfg: CfgNode) -> None:
    source, evaluates = cfg.DATA.SOURCE, cfg.TASK not in ("pretrain", "extract")
    _require(not (evaluates and source == "folder"), cfg, "DATA.SOURCE", f"TASK {cfg.TASK} needs labels")
    for key in _NEEDED_KEYS.get(source, ()):
        _require(_get(cfg, key) != "", cfg, key, f"DATA.SOURCE {source} needs {_WHAT_IS_NEEDED[key]}")
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
    measures = cfg.TASK not in ("pretrain", "extract")
    _require(measures, cfg, "EVAL.SPLITS", f"TASK {cfg.TASK} reads DATA.SPLIT")
    distinct = len(set(splits)) == len(splits) and all(split in CHOICES["DATA.SPLIT"] for split in splits)
    _require(distinct, cfg, "EVAL.SPLITS", "give each of 1, 2, 3 once at most")
    marked = source == "list" and SPLIT_MARK in cfg.DATA.TRAIN and SPLIT_MARK in cfg.DATA.TEST
    way_out = f"only DATA.SOURCE ucf101, hmdb51, or list with {SPLIT_MARK} in DATA.TRAIN and DATA.TEST, has splits"
    _require(source in ("ucf101", "hmdb51") or marked, cfg, "EVAL.SPLITS", way_out)


def _require(holds: bool, cfg: CfgNode, key: str, way_out: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {masked(repr(_get(cfg, key)))}; {way_out}")


def _get(cfg: CfgNode, key: str) -> Any:
    node: Any = cfg
    for name in key.split("."):
        node = node[name]
    return node


def _values(value: Any) -> Iterable[float]:
    return value if isinstance(value, list) else [value]
