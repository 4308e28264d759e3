"""Checks of a config: bounds from both sides, contradictions and their messages."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sce_video.config import flat_config, load_config
from sce_video.config.defaults import SETTINGS, default_config
from sce_video.errors import ConfigError

Write = Callable[..., Path]

BASE = """
DATA: {SOURCE: list, ROOT: videos, TRAIN: train.txt}
CLIP: {SIZE_PIXELS: 64}
TRAIN: {NUM_EPOCHS: 100, GLOBAL_BATCH_SIZE: 64, PRECISION: fp32}
OPTIM: {WARMUP_EPOCHS: 10}
METHOD: {QUEUE_LENGTH: 1024, IN_BATCH_KEYS: false}
"""

MEASURES = ["TASK", "knn", "DATA.TEST", "test.txt"]
# Overrides without which a key, or a section, is unused.
NEEDED = {
    "EVAL": MEASURES,
    "EVAL.LINEAR_WEIGHT_DECAYS": ["TASK", "linear_features", *MEASURES[2:]],
    "EVAL.LINEAR_HELD_OUT_SHARE": ["TASK", "linear_features", *MEASURES[2:]],
    "EVAL.RETRIEVAL_RANKS": ["TASK", "retrieval", *MEASURES[2:]],
    "EVAL.NUM_EXAMINED": ["TASK", "examine"],
    "EVAL.GROUP_PATTERN": ["TASK", "examine"],
    "MODEL.WEIGHTS": ["TASK", "pretrain"],
    "AUG.ERASING_MOST_WEIGHT": ["AUG.BACKGROUND_ERASING", "own"],
    "AUG.WEAK_TEMPORAL_DIFFERENCE_PROBABILITY": ["AUG.VIEW_1_IS_WEAK", "true", "AUG.BLUR_PROBABILITIES", "0,0"],
    "METHOD.COEFF_START": ["METHOD.COEFF_WARMUP_EPOCHS", "1"],
    "METHOD.COEFF_FINAL": ["METHOD.COEFF_FINAL_SHAPE", "cosine"],
    "METHOD.TEMPERATURE_START": ["METHOD.TEMPERATURE_WARMUP_EPOCHS", "1"],
    "METHOD.TARGET_TEMPERATURE_START": ["METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS", "1"],
    **{
        key: ["CLIP.LOCAL_SIZES_PIXELS", "64,48,32"]
        for key in (
            *("CLIP.LOCAL_SECONDS", "CLIP.LOCAL_NUM_FRAMES", "AUG.LOCAL_CROP_AREAS"),
            *("AUG.LOCAL_BLUR_PROBABILITY", "AUG.LOCAL_SOLARIZE_PROBABILITY"),
        )
    },
    "DATA.SPLIT": ["DATA.TRAIN", "train{split}.txt"],
    "DATA.SPLITS_DIR": ["DATA.SOURCE", "ucf101", "DATA.SPLITS_DIR", "s", "TASK", "extract"],
    "DATA.TEST": ["TASK", "knn"],
    "DATA.IMAGE_SHARE": ["DATA.IMAGE_ROOT", "images"],
    "DATA.IMAGE_ROOT": ["DATA.IMAGE_SHARE", "0.5"],
    "DATA.IMAGE_TRAIN": ["DATA.IMAGE_SHARE", "0.5"],
}
FREE_TEXTS = {
    *("DATA.ROOT", "DATA.TRAIN", "DATA.TEST", "DATA.SPLITS_DIR", "EVAL.CHECKPOINT", "EVAL.FEATURES_DIR"),
    *("RUN.OUTPUT_DIR", "DATA.CACHE_DIR", "DATA.FRAMES_PATTERN", "MODEL.WEIGHTS"),
    *("DATA.IMAGE_ROOT", "DATA.IMAGE_TRAIN", "EVAL.GROUP_PATTERN"),
}
PATTERNS = {"EVAL.GROUP_PATTERN": "non(sense)"}


def all_keys() -> dict[str, Any]:
    return flat_config(default_config())


def needed_by(key: str) -> list[str]:
    return NEEDED.get(key, NEEDED.get(key.split(".")[0], []))


def holds_numbers(default: Any) -> bool:
    return isinstance(default, list | int | float) and not isinstance(default, bool)


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_base_of_these_tests_is_accepted_and_so_are_its_defaults(config_file: Write) -> None:
    load_config(config_file(BASE))
    load_config(config_file(BASE), MEASURES)
    load_config(config_file("DATA.TRAIN: train.txt"))


# (key, values that are refused, values next to them that are accepted)
BOUNDS = [
    ("CLIP.SECONDS", ["0", "-1", "86401"], ["0.04", "86400"]),
    ("CLIP.NUM_FRAMES", ["0", "10001"], ["1", "10000"]),
    ("CLIP.SIZE_PIXELS", ["31", "4097"], ["32", "4096"]),
    ("CLIP.LOCAL_SIZES_PIXELS", ["-1", "4097", "31", "96,31", "0,96"], ["0", "32", "4096", "192,160,128,96"]),
    ("CLIP.LOCAL_SECONDS", ["-1", "86401"], ["0", "0.04"]),
    ("CLIP.LOCAL_NUM_FRAMES", ["-1", "10001"], ["0", "1"]),
    ("AUG.LOCAL_BLUR_PROBABILITY", ["-0.01", "1.01"], ["0", "1"]),
    ("AUG.LOCAL_SOLARIZE_PROBABILITY", ["-0.01", "1.01"], ["0", "1"]),
    (
        "AUG.LOCAL_CROP_AREAS",
        ["0,0.5", "0.5,1.1", "0.5,0.4", "0.1", "0.1,0.2,0.3", "0.1,0.2,0.1,0.2", "0.1,0.2,0.1,0.2,0.3,0.2"],
        ["0.1,0.1", "0.1,0.2,0.1,0.2,0.1,1"],
    ),
    ("DATA.NUM_WORKERS", ["-2", "1025"], ["-1", "0", "1024"]),
    ("DATA.PREFETCH_BATCHES", ["0"], ["1"]),
    ("DATA.VIDEO_TIMEOUT_SECONDS", ["0", "-1", "1e6"], ["0.5", "86400"]),
    ("DATA.MAX_FAILED_SHARE", ["-0.01", "1.01"], ["0", "1"]),
    ("AUG.TEMPORAL_DIFFERENCE_PROBABILITY", ["-0.01", "1.01"], ["0", "1"]),
    ("AUG.JITTER_PROBABILITY", ["-0.01", "1.01"], ["0", "1"]),
    ("AUG.GRAYSCALE_PROBABILITY", ["-0.01", "1.01"], ["0", "1"]),
    ("AUG.FLIP_PROBABILITY", ["-0.01", "1.01"], ["0", "1"]),
    ("AUG.BLUR_PROBABILITIES", ["0.5,1.01", "-0.01,0.5", "0.5", "1,1,1"], ["0,1"]),
    ("AUG.SOLARIZE_PROBABILITIES", ["0.5,1.01", "-0.01,0.5", "0.5", "0,0,0"], ["0,1"]),
    ("AUG.CROP_AREA", ["0.5,0.4", "0,0.5", "0.5,1.1", "0.5", "0.1,0.2,0.3"], ["0.5,0.5", "0.01,1"]),
    ("AUG.CROP_ASPECT", ["2,0.5", "0,1", "1"], ["1,1", "0.5,2"]),
    ("AUG.BLUR_SIGMA_PIXELS", ["2,0.1", "0,1", "1"], ["1,1"]),
    ("AUG.BLUR_KERNEL_PIXELS", ["22", "0", "-1", "129"], ["1", "23", "127"]),  # reflection needs kernel // 2 < 64
    ("AUG.COLOR_STRENGTH", ["-0.1", "2.51"], ["0", "2.5"]),
    ("AUG.MEAN", ["0.5", "0.5,0.5"], ["0,0,0", "0.4,0.5,0.6"]),
    ("AUG.STD", ["0.2", "0.2,0,0.2", "0.2,-1,0.2"], ["0.1,0.2,0.3"]),
    ("MODEL.PROJECTOR_DIMS", ["128,0", "-1"], ["1", "64,64,64,64"]),
    ("MODEL.PREDICTOR_HIDDEN_DIM", ["-1"], ["0"]),
    ("METHOD.COEFF", ["-0.01", "1.01"], ["0", "1"]),
    ("METHOD.COEFF_START", ["-0.01", "1.01"], ["0", "1"]),
    ("METHOD.COEFF_FINAL", ["-0.01", "1.01"], ["0", "1"]),
    ("METHOD.TEMPERATURE", ["0", "-0.1", "101"], ["0.01", "100"]),
    ("METHOD.TARGET_TEMPERATURE", ["0", "-0.1"], ["0.01"]),
    ("METHOD.TEMPERATURE_START", ["0"], ["0.01"]),
    ("METHOD.TARGET_TEMPERATURE_START", ["0"], ["0.01"]),
    ("METHOD.EMA_MOMENTUM", ["-0.01", "1.01"], ["0", "1"]),
    ("METHOD.QUEUE_LENGTH", ["-1", "0", "16777217"], ["1", "16777216"]),
    ("METHOD.COEFF_WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("METHOD.TEMPERATURE_WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("OPTIM.WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("OPTIM.DROP_EPOCHS", ["-1", "0,50", "80,60", "60,60", "100", "60,100"], ["0", "36", "60,80", "36,99"]),
    ("OPTIM.BASE_LR", ["-0.1", "1e39"], ["0", "1e38"]),
    ("OPTIM.SGD_MOMENTUM", ["-0.1", "1"], ["0", "0.9"]),
    ("OPTIM.WEIGHT_DECAY", ["-1e-6"], ["0", "1e-6"]),
    ("TRAIN.NUM_EPOCHS", ["0", "1000001"], ["10", "1000000"]),
    ("TRAIN.GLOBAL_BATCH_SIZE", ["0", "1", "1048578"], ["2", "1048576"]),
    ("TRAIN.ACCUMULATION_STEPS", ["0"], ["1", "2", "32"]),
    ("TRAIN.LOG_EVERY_STEPS", ["0"], ["1"]),
    ("TRAIN.CHECKPOINT_EVERY_STEPS", ["-1"], ["0"]),
    ("TRAIN.CHECKPOINT_EVERY_EPOCHS", ["-1"], ["0"]),
    ("TRAIN.NUM_CHECKPOINTS_KEPT", ["0"], ["1"]),
    ("TRAIN.STOP_AT_STEP", ["-1"], ["0"]),
    ("EVAL.NUM_CLIPS", ["0"], ["1"]),
    ("EVAL.NUM_CROPS", ["0", "2"], ["1", "3"]),
    ("EVAL.SIZE_PIXELS", ["31", "4097"], ["32", "4096"]),
    ("EVAL.RESIZE_PIXELS", ["-1", "127", "16385"], ["0", "128", "16384"]),
    ("EVAL.LOCAL_BATCH_SIZE", ["0", "65537"], ["1", "65536"]),
    ("EVAL.KNN_NUM_NEIGHBORS", ["0", "20,0"], ["1", "20,200"]),
    ("EVAL.KNN_TEMPERATURES", ["0"], ["0.01", "0.07,0.1"]),
    ("EVAL.LINEAR_WEIGHT_DECAYS", ["-1", "0", "1,0"], ["1e-9", "0.1,1"]),
    ("EVAL.LINEAR_HELD_OUT_SHARE", ["0", "1", "-0.1"], ["0.5"]),
    ("EVAL.RETRIEVAL_RANKS", ["1,0"], ["1"]),
    ("EVAL.NUM_EXAMINED", ["1", "10001"], ["2", "10000"]),
    ("DATA.SPLIT", ["0", "4"], ["1", "2", "3"]),
    ("DATA.IMAGE_SHARE", ["-0.01", "1"], ["0.01", "0.99"]),
    ("CLIP.NUM_GLOBAL_VIEWS", ["0", "1", "101"], ["2", "100"]),
    ("CLIP.NUM_NEGATIVES", ["-1", "101"], ["0", "1", "100"]),
    ("DATA.CACHE_GB", ["0", "1e7"], ["0.1", "1e6"]),
    ("RUN.SEED", ["9223372036854775808", "-9223372036854775809"], ["9223372036854775807", "-9223372036854775808"]),
]


@pytest.mark.parametrize(("key", "value"), [(key, bad) for key, values, _ in BOUNDS for bad in values])
def test_beyond_a_bound_key_and_value_are_named(config_file: Write, key: str, value: str) -> None:
    message = refusal(config_file(BASE), *needed_by(key), key, value)
    assert message.startswith(f"{key} is ")
    reported = [float(number) for number in re.findall(r"-?[0-9][0-9.e+-]*", message.split("; ", 1)[0])]
    assert reported == [float(number) for number in value.split(",")]
    assert len(message.split("; ", 1)[1]) > 10  # the fix


@pytest.mark.parametrize(("key", "value"), [(key, good) for key, _, values in BOUNDS for good in values])
def test_at_a_bound_a_value_is_accepted(config_file: Write, key: str, value: str) -> None:
    load_config(config_file(BASE), [*needed_by(key), key, value])


@pytest.mark.parametrize("sign", ["-", ""])
@pytest.mark.parametrize("key", [key for key, default in all_keys().items() if holds_numbers(default)])
def test_every_number_is_bounded_on_both_sides(config_file: Write, key: str, sign: str) -> None:
    """Catches new keys without bounds."""
    default = all_keys()[key]
    numbers = default if isinstance(default, list) else [default]
    absurd = ",".join(f"{sign}{10**20 if isinstance(number, int) else 10**39}" for number in numbers)
    assert refusal(config_file(BASE), key, absurd).startswith(f"{key} is ")


@pytest.mark.parametrize("key", [key for key, default in all_keys().items() if isinstance(default, str)])
def test_a_text_is_a_path_or_one_of_a_few(config_file: Write, key: str) -> None:
    if key in FREE_TEXTS:
        needed = needed_by(key) or ["TASK", "extract"]
        load_config(config_file(BASE), [*needed, key, PATTERNS.get(key, "nonsense")])
        for harm in ("a\nb", "a\x00", "\x1b[2J", "a\x7f", "a\u2028b", "a" * 5000):
            message = refusal(config_file(BASE), *needed, key, harm)
            assert message.startswith(f"{key} is ")
            assert message.isprintable()
        return
    message = refusal(config_file(BASE), key, "nonsense")
    assert message.startswith(f"{key} is 'nonsense'; choose one of ")
    assert ", ".join(map(str, SETTINGS[key].choices)) in message


def measured(overrides: list[str]) -> list[str]:
    """The overrides, with test videos if the task and the source need a list of them."""
    wanted = "TASK" in overrides and overrides[1] != "pretrain" and "DATA.TEST" not in overrides
    return ["DATA.TEST", "test.txt", *overrides] if wanted and "DATA.SOURCE" not in overrides else overrides


ON_DEVICE = ["DATA.ON_DEVICE", "true", "CLIP.NUM_FRAMES", "1"]
# (id, overrides of BASE, what the message names)
CONTRADICTIONS: list[tuple[str, list[str], list[str]]] = [
    (
        "BYOL without a predictor",
        ["METHOD.NAME", "byol", "MODEL.PREDICTOR_HIDDEN_DIM", "0"],
        ["MODEL.PREDICTOR_HIDDEN_DIM is 0", "byol needs a predictor"],
    ),
    (
        "nothing to contrast with",
        ["METHOD.QUEUE_LENGTH", "0"],
        ["METHOD.QUEUE_LENGTH is 0", "METHOD.IN_BATCH_KEYS is False", "set one"],
    ),
    (
        "a queue method without a queue",
        ["METHOD.NAME", "moco_v2", "METHOD.QUEUE_LENGTH", "0"],
        ["METHOD.QUEUE_LENGTH is 0; METHOD.NAME moco_v2 needs past keys"],
    ),
    (
        "local views for a method of two views",
        ["METHOD.NAME", "byol", "CLIP.LOCAL_SIZES_PIXELS", "96,96"],
        ["CLIP.LOCAL_SIZES_PIXELS is [96, 96]", "only METHOD.NAME sce or ressl uses it"],
    ),
    (
        "more than two clips for a method of two views",
        ["METHOD.NAME", "simclr", "CLIP.NUM_GLOBAL_VIEWS", "3"],
        ["CLIP.NUM_GLOBAL_VIEWS is 3", "only METHOD.NAME sce, moco_v2, moco_v3, ressl or byol uses it"],
    ),
    (
        "a pair of more than two clips",
        ["CLIP.PAIR", "decreasing", "CLIP.NUM_GLOBAL_VIEWS", "3"],
        ["CLIP.PAIR is 'decreasing'", "CLIP.NUM_GLOBAL_VIEWS is 3; use independent"],
    ),
    ("a share of images without any", ["DATA.IMAGE_SHARE", "0.25"], ["DATA.IMAGE_ROOT is ''", "needs a folder"]),
    (
        "images without a share",
        ["DATA.IMAGE_ROOT", "images"],
        ["DATA.IMAGE_ROOT is 'images'", "only DATA.IMAGE_SHARE above 0 uses it"],
    ),
    (
        "images of a list without it",
        ["DATA.IMAGE_SHARE", "0.25", "DATA.IMAGE_SOURCE", "list"],
        ["DATA.IMAGE_TRAIN is ''", "DATA.IMAGE_SOURCE list needs the list of training videos"],
    ),
    (
        "a part that the images do not have",
        ["DATA.IMAGE_SHARE", "0.25", "DATA.IMAGE_SOURCE", "stl10", "DATA.IMAGE_ROOT", "a", "DATA.IMAGE_TRAIN", "test"],
        ["DATA.IMAGE_TRAIN is 'test'", "stl10 can use train, unlabeled, train+unlabeled"],
    ),
    (
        "remote images",
        ["DATA.IMAGE_SHARE", "0.25", "DATA.IMAGE_ROOT", "s3://bucket/images"],
        ["DATA.IMAGE_ROOT is 's3://bucket/images'", "it must be a local path"],
    ),
    (
        "differences of a single frame",
        ["MODEL.REPRESENTATION", "difference", "CLIP.NUM_FRAMES", "1"],
        ["CLIP.NUM_FRAMES is 1; MODEL.REPRESENTATION difference needs two frames or more"],
    ),
    (
        "differences of a single frame of local views",
        ["MODEL.REPRESENTATION", "difference", "CLIP.LOCAL_SIZES_PIXELS", "32", "CLIP.LOCAL_NUM_FRAMES", "1"],
        ["CLIP.LOCAL_NUM_FRAMES is 1; MODEL.REPRESENTATION difference needs two or more"],
    ),
    (
        "differences of images",
        ["MODEL.REPRESENTATION", "rgb_and_difference", "DATA.IMAGE_SHARE", "0.5", "DATA.IMAGE_ROOT", "images"],
        ["DATA.IMAGE_SHARE is 0.5; it must be 0 with MODEL.REPRESENTATION rgb_and_difference: an image has no diff"],
    ),
    (
        "differences of differences",
        ["MODEL.REPRESENTATION", "absolute_difference", "AUG.TEMPORAL_DIFFERENCE_PROBABILITY", "0.2"],
        ["AUG.TEMPORAL_DIFFERENCE_PROBABILITY is 0.2; it must be 0 with MODEL.REPRESENTATION absolute_difference"],
    ),
    (
        "areas of local views without any",
        ["AUG.LOCAL_CROP_AREAS", "0.1,0.2"],
        ["AUG.LOCAL_CROP_AREAS is [0.1, 0.2]", "only CLIP.LOCAL_SIZES_PIXELS above 0 uses it"],
    ),
    (
        "blur wider than a local view",
        ["CLIP.LOCAL_SIZES_PIXELS", "48,32", "AUG.BLUR_KERNEL_PIXELS", "65"],
        ["AUG.BLUR_KERNEL_PIXELS is 65", "CLIP.LOCAL_SIZES_PIXELS 32"],
    ),
    (
        "local views beside the supervised crop",
        ["CLIP.LOCAL_SIZES_PIXELS", "32", "AUG.CROP", "short_side", "AUG.CROP_SHORT_SIDE_PIXELS", "64,80"],
        ["AUG.CROP is 'short_side'", "local views need area"],
    ),
    (
        "a weak view that is blurred",
        ["AUG.VIEW_1_IS_WEAK", "true"],
        ["AUG.BLUR_PROBABILITIES is [1.0, 0.1]", "needs 0 for view 1"],
    ),
    (
        "two directions of a method without queue",
        ["METHOD.NAME", "simclr", "METHOD.SYMMETRIC", "false"],
        ["METHOD.SYMMETRIC is False", "only METHOD.NAME sce, moco_v2 or ressl uses it"],
    ),
    (
        "accumulation does not divide the batch",
        ["TRAIN.ACCUMULATION_STEPS", "3"],
        ["TRAIN.GLOBAL_BATCH_SIZE is 64", "TRAIN.ACCUMULATION_STEPS 3 must divide"],
    ),
    (
        "groups that do not divide a part",
        ["TRAIN.ACCUMULATION_STEPS", "4", "MODEL.MOMENTUM_NORM_GROUPS", "3"],
        ["MODEL.MOMENTUM_NORM_GROUPS is 3", "must divide the 16 videos"],
    ),
    (
        "one video in a part",
        ["TRAIN.ACCUMULATION_STEPS", "64"],
        ["TRAIN.GLOBAL_BATCH_SIZE is 64", "2 videos in each part"],
    ),
    (
        "warm-up longer than training",
        ["TRAIN.NUM_EPOCHS", "9"],
        ["OPTIM.WARMUP_EPOCHS is 10", "TRAIN.NUM_EPOCHS 9"],
    ),
    (
        "half precision on a CPU",
        ["TRAIN.PRECISION", "fp16", "RUN.DEVICE", "cpu"],
        ["TRAIN.PRECISION is 'fp16'", "RUN.DEVICE cpu", "fp32"],
    ),
    (
        "blur wider than the view",
        ["CLIP.SIZE_PIXELS", "32", "AUG.BLUR_KERNEL_PIXELS", "65"],
        ["AUG.BLUR_KERNEL_PIXELS is 65", "CLIP.SIZE_PIXELS 32"],
    ),
    ("no training list", ["DATA.TRAIN", ""], ["DATA.TRAIN is ''", "list of training videos"]),
    ("evaluation without test videos", ["TASK", "knn", "DATA.TEST", ""], ["DATA.TEST is ''", "TASK knn"]),
    (
        "testing on the training list",
        ["TASK", "linear", "DATA.TEST", "./train.txt"],
        ["DATA.TEST is './train.txt'", "training videos"],
    ),
    (
        "testing on the training folder",
        ["TASK", "retrieval", "DATA.SOURCE", "class_folders", "DATA.TRAIN", "v", "DATA.TEST", "v/"],
        ["DATA.TEST is 'v/'", "training videos"],
    ),
    (
        "evaluation without labels",
        ["TASK", "retrieval", "DATA.SOURCE", "folder"],
        ["DATA.SOURCE is 'folder'", "TASK retrieval needs labels"],
    ),
    (
        "a square larger than the frame it is cut out of",
        ["AUG.CROP", "short_side", "AUG.CROP_SHORT_SIDE_PIXELS", "63,80"],
        ["CLIP.SIZE_PIXELS is 64", "AUG.CROP_SHORT_SIDE_PIXELS 63"],
    ),
    (
        "the other crop's range",
        ["AUG.CROP", "short_side", "AUG.CROP_AREA", "0.5,1"],
        ["AUG.CROP_AREA is [0.5, 1.0]", "only AUG.CROP area uses it"],
    ),
    (
        "more hue than there is",
        ["AUG.JITTER_SHARES", "0.8,0.8,0.8,0.6"],
        ["AUG.COLOR_STRENGTH is 1.0", "between 0 and 0.833333 (hue 0.5)"],
    ),
    (
        "a drop during the warm-up",
        ["OPTIM.WARMUP_EPOCHS", "10", "OPTIM.DROP_EPOCHS", "10,20"],
        ["OPTIM.DROP_EPOCHS is [10, 20]", "above OPTIM.WARMUP_EPOCHS 10 to below TRAIN.NUM_EPOCHS 100"],
    ),
    (
        "the end of a cosine for a learning rate that drops",
        ["OPTIM.DROP_EPOCHS", "50", "OPTIM.FINAL_LR", "0.01"],
        ["OPTIM.FINAL_LR is 0.01", "only OPTIM.DROP_EPOCHS [0] uses it"],
    ),
    (
        "pretraining with some labels",
        ["EVAL.LABEL_SHARE", "0.1"],
        ["EVAL.LABEL_SHARE is 0.1", "only TASK finetune, linear"],
    ),
    (
        "features of pretraining",
        ["EVAL.FEATURES_DIR", "f"],
        ["EVAL.FEATURES_DIR is 'f'", "only TASK linear_features, knn"],
    ),
    (
        "kNN of clips",
        ["TASK", "knn", "EVAL.RETRIEVAL_LEVEL", "clip"],
        ["EVAL.RETRIEVAL_LEVEL is 'clip'", "only TASK retrieval uses it"],
    ),
    (
        "pairs of clips where one is seen",
        ["TASK", "finetune", "CLIP.PAIR", "decreasing"],
        ["CLIP.PAIR is 'decreasing'", "only TASK pretrain uses it"],
    ),
    (
        "a probe without an optimum",
        ["TASK", "linear_features", "EVAL.LINEAR_WEIGHT_DECAYS", "0,0.1"],
        ["EVAL.LINEAR_WEIGHT_DECAYS is [0.0, 0.1]", "every value must be above 0"],
    ),
    *(
        (f"{key} without finetuning", ["TASK", "linear", key, value], [f"{key} is ", "only TASK finetune uses it"])
        for key, value in (
            ("MODEL.DROPOUT", "0.5"),
            ("MODEL.NUM_TRAINED_BLOCKS", "1"),
            ("OPTIM.LAYER_DECAY", "0.9"),
            ("TRAIN.LABEL_SMOOTHING", "0.1"),
            ("TRAIN.MIXUP_ALPHA", "0.2"),
        )
    ),
    ("UCF101 without videos", ["DATA.SOURCE", "ucf101", "DATA.ROOT", ""], ["DATA.ROOT is ''", "ucf101"]),
    ("HMDB51 without splits", ["DATA.SOURCE", "hmdb51"], ["DATA.SPLITS_DIR is ''", "hmdb51"]),
    (
        "a folder that is not given",
        ["DATA.SOURCE", "folder", "DATA.ROOT", "", "DATA.TRAIN", ""],
        ["DATA.ROOT is ''", "DATA.SOURCE folder"],
    ),
    (
        "ImageNet without a folder",
        ["DATA.SOURCE", "image_folders", "DATA.ROOT", "", "DATA.TRAIN", ""],
        ["DATA.ROOT is ''", "DATA.SOURCE image_folders"],
    ),
    ("Kinetics without videos", ["DATA.SOURCE", "kinetics", "DATA.ROOT", ""], ["DATA.ROOT is ''", "kinetics"]),
    ("Kinetics without a table", ["DATA.SOURCE", "kinetics", "DATA.TRAIN", ""], ["DATA.TRAIN is ''", "kinetics"]),
    (
        "testing on Kinetics' training table",
        ["TASK", "knn", "DATA.SOURCE", "kinetics", "DATA.TEST", "train.txt"],
        ["DATA.TEST is 'train.txt'", "training videos"],
    ),
    ("Mini-Kinetics without its lists", ["DATA.SOURCE", "kinetics200"], ["DATA.SPLITS_DIR is ''", "kinetics200"]),
    ("Something-Something without labels", ["DATA.SOURCE", "ssv2"], ["DATA.SPLITS_DIR is ''", "ssv2"]),
    ("Moments in Time without labels", ["DATA.SOURCE", "moments"], ["DATA.SPLITS_DIR is ''", "moments"]),
    ("CIFAR-10 without a folder", ["DATA.SOURCE", "cifar10", "DATA.ROOT", ""], ["DATA.ROOT is ''", "cifar10"]),
    ("videos on the device", ["DATA.ON_DEVICE", "true"], ["DATA.ON_DEVICE", "only DATA.SOURCE cifar10, cifar100"]),
    *(
        (f"images on the device with {key}", ["DATA.SOURCE", "cifar10", *ON_DEVICE, key, value], [f"{key} is ", fix])
        for key, value, fix in (
            ("CLIP.NUM_FRAMES", "2", "DATA.ON_DEVICE needs 1"),
            ("CLIP.PAIR", "decreasing", "only DATA.ON_DEVICE False uses it"),
            ("CLIP.SPEEDS", "1,2", "only DATA.ON_DEVICE False uses it"),
            ("CLIP.DURATION_JITTER", "0.1", "only DATA.ON_DEVICE False uses it"),
            ("DATA.SHORT_SIDE_PIXELS", "16", "DATA.ON_DEVICE needs 0"),
        )
    ),
    (
        "joint pretraining with images on the device",
        ["DATA.SOURCE", "cifar10", *ON_DEVICE, "DATA.IMAGE_SHARE", "0.5", "DATA.IMAGE_ROOT", "images"],
        ["DATA.IMAGE_SHARE is 0.5", "DATA.ON_DEVICE needs 0"],
    ),
    (
        "a part that STL-10 does not have",
        ["DATA.SOURCE", "stl10", "DATA.TRAIN", "test"],
        ["DATA.TRAIN is 'test'", "train, unlabeled, train+unlabeled"],
    ),
    (
        "evaluation with unlabeled images",
        ["TASK", "knn", "DATA.SOURCE", "stl10", "DATA.TRAIN", "train+unlabeled"],
        ["DATA.TRAIN is 'train+unlabeled'", "TASK knn on stl10 can use train"],
    ),
]


@pytest.mark.parametrize(
    ("overrides", "named"), [case[1:] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS]
)
def test_keys_that_contradict_each_other(config_file: Write, overrides: list[str], named: list[str]) -> None:
    message = refusal(config_file(BASE), *measured(overrides))
    for part in named:
        assert part in message


@pytest.mark.parametrize(
    "overrides",
    [
        ["METHOD.QUEUE_LENGTH", "0", "METHOD.IN_BATCH_KEYS", "true"],
        ["AUG.VIEW_1_IS_WEAK", "true", "AUG.BLUR_PROBABILITIES", "0,1"],
        ["AUG.BLUR_PROBABILITIES", "0,0", "CLIP.LOCAL_SIZES_PIXELS", "64", "AUG.BLUR_KERNEL_PIXELS", "5"],
        ["TRAIN.PRECISION", "bf16", "RUN.DEVICE", "cpu"],
        ["TRAIN.PRECISION", "fp16", "RUN.DEVICE", "cuda"],
        ["DATA.SOURCE", "folder", "DATA.TRAIN", ""],
        ["DATA.SOURCE", "folder", "DATA.ROOT", ""],
        ["TASK", "knn"],
        ["TASK", "knn", "MODEL.REPRESENTATION", "difference"],
        ["TASK", "knn", "DATA.SOURCE", "class_folders", "DATA.TRAIN", "train", "DATA.TEST", "test"],
        # The official splits list training and test videos.
        ["TASK", "knn", "DATA.SOURCE", "ucf101", "DATA.SPLITS_DIR", "s"],
        ["TASK", "knn", "DATA.SOURCE", "moments", "DATA.SPLITS_DIR", "s"],
        ["TASK", "knn", "DATA.SOURCE", "cifar100"],
        ["TASK", "knn", "DATA.SOURCE", "stl10", "DATA.TRAIN", "train"],
        ["DATA.SOURCE", "stl10", "DATA.TRAIN", "train+unlabeled"],
        ["DATA.SOURCE", "jpeg_npz", *ON_DEVICE, "CLIP.FRAME_CHOICE", "jittered"],
        ["DATA.SOURCE", "frame_folders", "DATA.TRAIN", ""],
        ["TASK", "extract", "DATA.SOURCE", "folder"],
        ["TASK", "extract", "DATA.TEST", ""],
        ["AUG.CROP", "short_side", "AUG.CROP_SHORT_SIDE_PIXELS", "64,64"],
        ["AUG.JITTER_SHARES", "0.8,0.8,0.8,0", "AUG.COLOR_STRENGTH", "9"],
    ],
    ids=" ".join,
)
def test_keys_that_only_seem_to_contradict_each_other(config_file: Write, overrides: list[str]) -> None:
    load_config(config_file(BASE), measured(overrides))


@pytest.mark.parametrize(
    ("pattern", "fix"),
    [
        ("session", "it must have one group in parentheses"),
        ("(a)(b)", "it must have one group"),
        ("(a", "it must be a regular expression (missing ), unterminated subpattern at position 0)"),
        ("(" * 5000, ""),
    ],
)
def test_a_pattern_has_one_group(config_file: Write, pattern: str, fix: str) -> None:
    message = refusal(config_file(BASE), "TASK", "examine", "EVAL.GROUP_PATTERN", pattern)
    assert message.startswith("EVAL.GROUP_PATTERN is ")
    assert fix in message
