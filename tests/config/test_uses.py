"""Unused keys are refused on the command line and in the file, but not in a base for another task."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sce_video.config import changed_keys, load_config, saved_config
from sce_video.config.defaults import SETTINGS, default_config
from sce_video.errors import ConfigError

Write = Callable[..., Path]
LISTS = "DATA: {TRAIN: train.txt}\n"
KNN = "TASK: knn\nDATA: {TRAIN: train.txt, TEST: test.txt}\n"

# (keys and values that are given, the one that is unused, what would use it)
UNUSED = [
    ({"EVAL.CHECKPOINT": "runs/x"}, "EVAL.CHECKPOINT", "only TASK finetune, linear, linear_features, knn"),
    ({"DATA.TEST": "test.txt"}, "DATA.TEST", "only TASK finetune"),
    ({"EVAL.NUM_CLIPS": "3"}, "EVAL.NUM_CLIPS", "only TASK finetune"),
    ({"DATA.TRAIN": "a{split}", "EVAL.SPLITS": "1,2"}, "EVAL.SPLITS", "only TASK finetune"),
    ({"TASK": "extract", "DATA.TRAIN": "a{split}", "EVAL.SPLITS": "1,2"}, "EVAL.SPLITS", "only TASK finetune"),
    ({"DATA.SPLIT": "1"}, "DATA.SPLIT", "{split} in DATA.TRAIN"),
    ({"DATA.SPLITS_DIR": "s"}, "DATA.SPLITS_DIR", "only DATA.SOURCE kinetics200, ucf101, hmdb51, ssv2"),
    ({"OPTIM.NAME": "adamw", "OPTIM.SGD_MOMENTUM": "0.9"}, "OPTIM.SGD_MOMENTUM", "only OPTIM.NAME lars or sgd"),
    ({"METHOD.COEFF_START": "1"}, "METHOD.COEFF_START", "METHOD.COEFF_WARMUP_EPOCHS above 0"),
    ({"METHOD.TEMPERATURE_START": "1"}, "METHOD.TEMPERATURE_START", "METHOD.TEMPERATURE_WARMUP_EPOCHS above 0"),
    (
        {"AUG.JITTER_PROBABILITY": "0", "AUG.COLOR_STRENGTH": "1"},
        "AUG.COLOR_STRENGTH",
        "AUG.JITTER_PROBABILITY above 0",
    ),
    ({"AUG.BLUR_PROBABILITIES": "0,0", "AUG.BLUR_KERNEL_PIXELS": "5"}, "AUG.BLUR_KERNEL_PIXELS", "AUG.BLUR_PROBAB"),
    ({"CLIP.FRAME_STRIDE": "2"}, "CLIP.FRAME_STRIDE", "only CLIP.FRAME_CHOICE strided"),
    (
        {"CLIP.FRAME_CHOICE": "strided", "CLIP.SPEEDS": "1,2"},
        "CLIP.SPEEDS",
        "CLIP.FRAME_CHOICE uniform or jittered",
    ),
    ({"MODEL.DROPOUT": "0.8"}, "MODEL.DROPOUT", "only TASK finetune"),
    *(
        ({"TASK": "knn", "DATA.TEST": "test.txt", key: str(SETTINGS[key].default).strip("[]")}, key, "only ")
        for key in ("METHOD.TEMPERATURE", "AUG.CROP", "AUG.FLIP_PROBABILITY", "TRAIN.NUM_EPOCHS", "OPTIM.WARMUP_EPOCHS")
    ),
    ({"TASK": "knn", "DATA.TEST": "t", "EVAL.RETRIEVAL_RANKS": "1"}, "EVAL.RETRIEVAL_RANKS", "only TASK retrieval"),
    (
        {"TASK": "knn", "DATA.TEST": "t", "CLIP.SIZE_PIXELS": "64"},
        "CLIP.SIZE_PIXELS",
        "only TASK pretrain, finetune",
    ),
    (
        {"TASK": "knn", "DATA.TRAIN": "a{split}", "DATA.TEST": "b{split}", "EVAL.SPLITS": "1,2", "DATA.SPLIT": "1"},
        "DATA.SPLIT",
        "only EVAL.SPLITS 0",
    ),
    ({"TASK": "extract", "DATA.SOURCE": "folder", "DATA.TEST": "t"}, "DATA.TEST", "only DATA.SOURCE list"),
]


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)


def flattened(named: Mapping[str, str]) -> str:
    return "\n".join(f"{key}: [{value}]" if "," in value else f"{key}: {value}" for key, value in named.items())


@pytest.mark.parametrize(("named", "key", "words"), UNUSED, ids=[case[1] for case in UNUSED])
def test_a_key_that_nothing_reads_is_refused_where_it_is_named(
    config_file: Write, named: Mapping[str, str], key: str, words: str
) -> None:
    lists = "" if "DATA.TRAIN" in named else "DATA.TRAIN: train.txt\n"
    message = refusal(config_file(lists), *(word for pair in named.items() for word in pair))
    assert message.startswith(f"{key} is ")
    assert words in message
    path = config_file(f"{lists}{flattened(named)}")
    message = refusal(path)
    assert message.startswith(f"{path}: {key} is ")
    assert words in message
    without = {name: value for name, value in named.items() if name != key}
    load_config(config_file(f"{lists}{flattened(without)}"))


@pytest.mark.parametrize(("named", "key", "words"), UNUSED, ids=[case[1] for case in UNUSED])
def test_unused_keys_of_a_base_are_reset(config_file: Write, named: Mapping[str, str], key: str, words: str) -> None:
    lists = "" if "DATA.TRAIN" in named else "DATA.TRAIN: train.txt\n"
    config_file(f"{lists}{flattened(named)}", "base.yaml")
    cfg = load_config(config_file("_BASE_: base.yaml"))
    without = {name: value for name, value in named.items() if name != key}
    assert changed_keys(cfg, load_config(config_file(f"{lists}{flattened(without)}", "plain.yaml"))) == []


def test_the_command_line_may_give_a_file_another_task(config_file: Write) -> None:
    """The file is valid by itself; the command line adds what the new task needs."""
    path = config_file("DATA: {TRAIN: train.txt}\nMETHOD: {TEMPERATURE: 0.2}\nOPTIM: {SGD_MOMENTUM: 0.8}")
    cfg = load_config(path, ["TASK", "knn", "DATA.TEST", "test.txt"])
    assert cfg.METHOD == default_config().METHOD
    assert load_config(path, ["OPTIM.NAME", "adamw"]).OPTIM.SGD_MOMENTUM == default_config().OPTIM.SGD_MOMENTUM


def test_a_key_of_the_file_may_be_for_the_task_of_the_command_line(config_file: Write) -> None:
    path = config_file("DATA: {TRAIN: train.txt, TEST: test.txt}\nEVAL: {KNN_NUM_NEIGHBORS: [5]}")
    assert load_config(path, ["TASK", "knn"]).EVAL.KNN_NUM_NEIGHBORS == [5]
    assert "DATA.TEST is" in refusal(path)


def test_unused_keys_are_not_checked(config_file: Write) -> None:
    """Three epochs are shorter than the default's warm-up, and a batch of 7 is not a multiple of 2 parts."""
    config_file("DATA: {TRAIN: t}\nTRAIN: {NUM_EPOCHS: 3, GLOBAL_BATCH_SIZE: 7, ACCUMULATION_STEPS: 2}", "base.yaml")
    path = config_file("_BASE_: base.yaml\nTASK: knn\nDATA: {TEST: test.txt}")
    load_config(path)
    assert "OPTIM.WARMUP_EPOCHS is 35" in refusal(path, "TASK", "linear", "TRAIN.GLOBAL_BATCH_SIZE", "8")


def test_unused_shared_overrides_are_ignored(config_file: Write) -> None:
    path = config_file(KNN)
    cfg = load_config(path, shared=["EVAL.NUM_CLIPS", "3", "METHOD.TEMPERATURE", "0.3"])
    assert (cfg.EVAL.NUM_CLIPS, cfg.METHOD.TEMPERATURE) == (3, default_config().METHOD.TEMPERATURE)
    with pytest.raises(ConfigError, match="unknown key METHOD.TEMPRATURE"):
        load_config(path, shared=["METHOD.TEMPRATURE", "0.3"])


def test_a_saved_config_may_have_unused_keys(config_file: Write) -> None:
    """Earlier versions saved every key."""
    path = config_file(f"{KNN}METHOD: {{TEMPERATURE: 0.3}}\nTRAIN: {{NUM_EPOCHS: 3}}")
    expected = load_config(config_file(KNN, "plain.yaml"))
    assert saved_config(path) == expected


def test_conditions_refer_to_existing_keys() -> None:
    for key, setting in SETTINGS.items():
        for condition in setting.conditions:
            assert set(condition.keys) <= SETTINGS.keys() - {key}
            values = [SETTINGS[other].default for other in condition.keys]
            assert isinstance(condition.holds(*values), bool)


def test_the_config_of_an_older_run_is_a_config(config_file: Write) -> None:
    """Earlier versions saved every key, marked by the first line; other configs may not have unused keys."""
    keys = LISTS + "METHOD: {COEFF: 0.25, COEFF_START: 1.0}\nEVAL: {CHECKPOINT: ''}\n"
    first_line = "# Resolved config of a run. To run it again: python tools/run_net.py --cfg runs/x/config.yaml\n"
    assert load_config(config_file(first_line + keys)).METHOD.COEFF == 0.25
    with pytest.raises(ConfigError, match=r"METHOD\.COEFF_START is 1\.0; only METHOD\.COEFF_WARMUP_EPOCHS above 0"):
        load_config(config_file(keys))
    with pytest.raises(ConfigError, match=r"METHOD\.COEFF_START is 1\.0"):  # on the command line
        load_config(config_file(first_line + keys), ["METHOD.COEFF_START", "1"])
