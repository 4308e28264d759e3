"""What a config must satisfy: each bound from both sides, each contradiction with its way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sce_video.config import config_text, load_config
from sce_video.config.check import CHOICES
from sce_video.config.defaults import default_config
from sce_video.errors import ConfigError

Write = Callable[..., Path]

BASE = """
DATA: {SOURCE: list, ROOT: videos, TRAIN: train.txt, TEST: test.txt}
CLIP: {SIZE_PIXELS: 64}
TRAIN: {NUM_EPOCHS: 100, GLOBAL_BATCH_SIZE: 64, PRECISION: fp32}
OPTIM: {WARMUP_EPOCHS: 10}
METHOD: {QUEUE_LENGTH: 1024, IN_BATCH_KEYS: false}
"""

# Neither bounded nor a choice.
FREE_NUMBERS = {"RUN.SEED", "AUG.MEAN"}
FREE_TEXTS = {
    *("DATA.ROOT", "DATA.TRAIN", "DATA.TEST", "DATA.SPLITS_DIR", "EVAL.CHECKPOINT", "EVAL.FEATURES_DIR"),
    *("RUN.OUTPUT_DIR", "DATA.CACHE_DIR", "DATA.FRAMES_PATTERN"),
}


def all_keys() -> dict[str, Any]:
    """Every key and its default, from the text of the default config."""
    keys = {}
    for section, content in yaml.safe_load(config_text(default_config())).items():
        if isinstance(content, dict):
            keys |= {f"{section}.{name}": value for name, value in content.items()}
        else:
            keys[section] = content
    return keys


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
    load_config(config_file("DATA.TRAIN: train.txt"))


# (key, values that are refused, values next to them that are accepted)
BOUNDS = [
    ("CLIP.SECONDS", ["0", "-1"], ["0.04"]),
    ("CLIP.NUM_FRAMES", ["0"], ["1"]),
    ("CLIP.SIZE_PIXELS", ["31"], ["32"]),
    ("DATA.NUM_WORKERS", ["-2"], ["-1", "0"]),
    ("DATA.PREFETCH_BATCHES", ["0"], ["1"]),
    ("DATA.VIDEO_TIMEOUT_SECONDS", ["0", "-1"], ["0.5"]),
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
    ("METHOD.TEMPERATURE", ["0", "-0.1"], ["0.01"]),
    ("METHOD.TARGET_TEMPERATURE", ["0", "-0.1"], ["0.01"]),
    ("METHOD.TEMPERATURE_START", ["0"], ["0.01"]),
    ("METHOD.TARGET_TEMPERATURE_START", ["0"], ["0.01"]),
    ("METHOD.EMA_MOMENTUM", ["-0.01", "1.01"], ["0", "1"]),
    ("METHOD.QUEUE_LENGTH", ["-1", "0"], ["1"]),
    ("METHOD.COEFF_WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("METHOD.TEMPERATURE_WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("OPTIM.WARMUP_EPOCHS", ["-1", "101"], ["0", "100"]),
    ("OPTIM.BASE_LR", ["-0.1"], ["0"]),
    ("OPTIM.SGD_MOMENTUM", ["-0.1", "1.1"], ["0", "0.9"]),
    ("OPTIM.WEIGHT_DECAY", ["-1e-6"], ["0", "1e-6"]),
    ("TRAIN.NUM_EPOCHS", ["0"], ["10"]),
    ("TRAIN.GLOBAL_BATCH_SIZE", ["0", "1"], ["2"]),
    ("TRAIN.ACCUMULATION_STEPS", ["0"], ["1", "2", "32"]),
    ("TRAIN.LOG_EVERY_STEPS", ["0"], ["1"]),
    ("TRAIN.CHECKPOINT_EVERY_STEPS", ["-1"], ["0"]),
    ("TRAIN.CHECKPOINT_EVERY_EPOCHS", ["-1"], ["0"]),
    ("TRAIN.NUM_CHECKPOINTS_KEPT", ["0"], ["1"]),
    ("TRAIN.STOP_AT_STEP", ["-1"], ["0"]),
    ("EVAL.NUM_CLIPS", ["0"], ["1"]),
    ("EVAL.NUM_CROPS", ["0", "2"], ["1", "3"]),
    ("EVAL.SIZE_PIXELS", ["31"], ["32"]),
    ("EVAL.LOCAL_BATCH_SIZE", ["0"], ["1"]),
    ("EVAL.KNN_NUM_NEIGHBORS", ["0", "20,0"], ["1", "20,200"]),
    ("EVAL.KNN_TEMPERATURES", ["0"], ["0.01", "0.07,0.1"]),
    ("EVAL.LINEAR_WEIGHT_DECAYS", ["-1", "0", "1,0"], ["1e-9", "0.1,1"]),
    ("EVAL.LINEAR_HELD_OUT_SHARE", ["0", "1", "-0.1"], ["0.5"]),
    ("EVAL.RETRIEVAL_RANKS", ["1,0"], ["1"]),
    ("DATA.SPLIT", ["0", "4"], ["1", "2", "3"]),
]


@pytest.mark.parametrize(("key", "value"), [(key, bad) for key, values, _ in BOUNDS for bad in values])
def test_beyond_a_bound_key_and_value_are_named(config_file: Write, key: str, value: str) -> None:
    message = refusal(config_file(BASE), key, value)
    assert message.startswith(f"{key} is ")
    for number in value.split(","):
        assert f"{float(number):g}" in message
    assert len(message.split("; ", 1)[1]) > 10  # the way out


@pytest.mark.parametrize(("key", "value"), [(key, good) for key, _, values in BOUNDS for good in values])
def test_at_a_bound_a_value_is_accepted(config_file: Write, key: str, value: str) -> None:
    load_config(config_file(BASE), [key, value])


@pytest.mark.parametrize("key", [key for key, default in all_keys().items() if holds_numbers(default)])
def test_every_number_is_bounded_unless_listed(config_file: Write, key: str) -> None:
    """Catches a new key that nobody bounded."""
    default = all_keys()[key]
    if key in FREE_NUMBERS:
        load_config(config_file(BASE), [key, "-1000000,-1000000,-1000000" if isinstance(default, list) else "-1000000"])
        return
    absurd = ",".join(["-1000000"] * len(default)) if isinstance(default, list) else "-1000000"
    assert refusal(config_file(BASE), key, absurd).startswith(f"{key} is ")


@pytest.mark.parametrize("key", [key for key, default in all_keys().items() if isinstance(default, str)])
def test_a_text_is_a_path_or_one_of_a_few(config_file: Write, key: str) -> None:
    if key in FREE_TEXTS:
        load_config(config_file(BASE), ["TASK", "extract", key, "nonsense"])
        return
    message = refusal(config_file(BASE), key, "nonsense")
    assert message.startswith(f"{key} is 'nonsense'; choose one of ")
    assert ", ".join(map(str, CHOICES[key])) in message


# (id, overrides of BASE, what the message names)
CONTRADICTIONS: list[tuple[str, list[str], list[str]]] = [
    (
        "nothing to contrast with",
        ["METHOD.QUEUE_LENGTH", "0"],
        ["METHOD.QUEUE_LENGTH is 0", "METHOD.IN_BATCH_KEYS is False", "give one"],
    ),
    (
        "accumulation does not divide the batch",
        ["TRAIN.ACCUMULATION_STEPS", "3"],
        ["TRAIN.GLOBAL_BATCH_SIZE is 64", "TRAIN.ACCUMULATION_STEPS 3 must divide"],
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
        ["CLIP.SIZE_PIXELS is 64", "AUG.CROP_SHORT_SIDE_PIXELS begins at 63"],
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
    ("pretraining with some labels", ["EVAL.LABEL_SHARE", "0.1"], ["EVAL.LABEL_SHARE is 0.1", "TASK pretrain"]),
    ("features of pretraining", ["EVAL.FEATURES_DIR", "f"], ["EVAL.FEATURES_DIR is 'f'", "TASK pretrain keeps none"]),
    (
        "kNN of clips",
        ["TASK", "knn", "EVAL.RETRIEVAL_LEVEL", "clip"],
        ["EVAL.RETRIEVAL_LEVEL is 'clip'", "only TASK retrieval uses it"],
    ),
    (
        "pairs of clips where one is seen",
        ["TASK", "finetune", "CLIP.PAIR", "decreasing"],
        ["CLIP.PAIR is 'decreasing'", "TASK finetune sees one clip of a video at a time"],
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
    (
        "a part that STL-10 does not have",
        ["DATA.SOURCE", "stl10", "DATA.TRAIN", "test"],
        ["DATA.TRAIN is 'test'", "train, unlabeled, train+unlabeled"],
    ),
    (
        "evaluation with unlabeled images",
        ["TASK", "knn", "DATA.SOURCE", "stl10", "DATA.TRAIN", "train+unlabeled"],
        ["DATA.TRAIN is 'train+unlabeled'", "TASK knn on stl10 reads train"],
    ),
]


@pytest.mark.parametrize(
    ("overrides", "named"), [case[1:] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS]
)
def test_keys_that_contradict_each_other(config_file: Write, overrides: list[str], named: list[str]) -> None:
    message = refusal(config_file(BASE), *overrides)
    for part in named:
        assert part in message


@pytest.mark.parametrize(
    "overrides",
    [
        ["METHOD.QUEUE_LENGTH", "0", "METHOD.IN_BATCH_KEYS", "true"],
        ["TRAIN.PRECISION", "bf16", "RUN.DEVICE", "cpu"],
        ["TRAIN.PRECISION", "fp16", "RUN.DEVICE", "cuda"],
        ["DATA.TEST", ""],  # pretraining reads no test videos
        ["DATA.TEST", "train.txt"],
        ["DATA.SOURCE", "folder", "DATA.TRAIN", ""],
        ["DATA.SOURCE", "folder", "DATA.ROOT", ""],
        ["TASK", "knn"],
        ["TASK", "knn", "DATA.SOURCE", "class_folders", "DATA.TRAIN", "train", "DATA.TEST", "test"],
        # The official splits say which videos are which.
        ["TASK", "knn", "DATA.SOURCE", "ucf101", "DATA.SPLITS_DIR", "s", "DATA.TRAIN", "", "DATA.TEST", ""],
        ["TASK", "knn", "DATA.SOURCE", "moments", "DATA.SPLITS_DIR", "s", "DATA.TRAIN", "", "DATA.TEST", ""],
        ["TASK", "knn", "DATA.SOURCE", "cifar100", "DATA.TRAIN", "", "DATA.TEST", ""],
        ["TASK", "knn", "DATA.SOURCE", "stl10", "DATA.TRAIN", "train", "DATA.TEST", ""],
        ["DATA.SOURCE", "stl10", "DATA.TRAIN", "train+unlabeled"],
        ["DATA.SOURCE", "kinetics", "DATA.TEST", ""],
        ["DATA.SOURCE", "frame_folders", "DATA.TRAIN", ""],
        ["TASK", "extract", "DATA.SOURCE", "folder"],
        ["TASK", "extract", "DATA.TEST", ""],
        ["AUG.CROP", "short_side", "AUG.CROP_SHORT_SIDE_PIXELS", "64,64"],
        ["AUG.JITTER_SHARES", "0.8,0.8,0.8,0", "AUG.COLOR_STRENGTH", "9"],
    ],
    ids=" ".join,
)
def test_keys_that_only_seem_to_contradict_each_other(config_file: Write, overrides: list[str]) -> None:
    load_config(config_file(BASE), overrides)
