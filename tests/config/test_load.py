"""Files, bases and overrides become one frozen config; everything else gives a one-line error."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sce_video.config import changed_keys, load_config
from sce_video.errors import ConfigError

Write = Callable[..., Path]

# The minimal config.
LISTS = "DATA: {TRAIN: train.txt}\n"


def refusal(path: Path, overrides: Sequence[str] = ()) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ------------------------------------------------------------------------------------------------- accepted


def test_file_overrides_base_and_command_line_overrides_both(config_file: Write) -> None:
    config_file(
        "TRAIN: {NUM_EPOCHS: 70, GLOBAL_BATCH_SIZE: 70, LOG_EVERY_STEPS: 70, NUM_CHECKPOINTS_KEPT: 70}", "a/base.yaml"
    )
    config_file(
        "_BASE_: ../a/base.yaml\nTRAIN: {NUM_EPOCHS: 80, GLOBAL_BATCH_SIZE: 80, LOG_EVERY_STEPS: 80}", "b/middle.yaml"
    )
    top = config_file(f"TRAIN: {{NUM_EPOCHS: 90, GLOBAL_BATCH_SIZE: 90}}\n_BASE_: b/middle.yaml\n{LISTS}", "top.yaml")
    train = load_config(top, ["TRAIN.NUM_EPOCHS", "100"]).TRAIN
    kept = (train.NUM_EPOCHS, train.GLOBAL_BATCH_SIZE, train.LOG_EVERY_STEPS, train.NUM_CHECKPOINTS_KEPT)
    assert kept == (100, 90, 80, 70)


def test_base_is_relative_to_its_file_not_to_where_the_program_runs(
    config_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_file(LISTS + "RUN: {SEED: 5}", "configs/base.yaml")
    config_file("_BASE_: base.yaml", "configs/top.yaml")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_config("../configs/top.yaml").RUN.SEED == 5


def test_a_base_may_be_absolute_and_serve_twice(config_file: Write) -> None:
    """Two files with one base are not a cycle."""
    base = config_file(LISTS + "RUN: {SEED: 5}", "base.yaml")
    for name in ("one.yaml", "two.yaml"):
        assert load_config(config_file(f"_BASE_: {base}", name)).RUN.SEED == 5


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("OPTIM: {WEIGHT_DECAY: 1e-6}", "OPTIM.WEIGHT_DECAY", 1e-6),  # a string in YAML 1.1
        ("OPTIM: {WEIGHT_DECAY: 1.5e-6}", "OPTIM.WEIGHT_DECAY", 1.5e-6),
        ("OPTIM: {WEIGHT_DECAY: 0}", "OPTIM.WEIGHT_DECAY", 0.0),
        ("OPTIM: {BASE_LR: .3}", "OPTIM.BASE_LR", 0.3),
        ("OPTIM.BASE_LR: 0.3", "OPTIM.BASE_LR", 0.3),
        ("RUN: {SEED: -3}", "RUN.SEED", -3),
        ("METHOD: {IN_BATCH_KEYS: true}", "METHOD.IN_BATCH_KEYS", True),
        ("METHOD: {IN_BATCH_KEYS: False}", "METHOD.IN_BATCH_KEYS", False),
        ("CLIP: {SPEEDS: [1, 3]}", "CLIP.SPEEDS", [1.0, 3.0]),
        ("MODEL:\n  PROJECTOR_DIMS:\n  - 1\n  - 3", "MODEL.PROJECTOR_DIMS", [1, 3]),
        # YAML 1.1 reads these as 8, 10, 90, False and a date.
        ("RUN: {SEED: 010}", "RUN.SEED", 10),
        ("CLIP: {SECONDS: 010}", "CLIP.SECONDS", 10.0),
        ("RUN: {OUTPUT_DIR: 1:30}", "RUN.OUTPUT_DIR", "1:30"),
        ("RUN: {OUTPUT_DIR: no}", "RUN.OUTPUT_DIR", "no"),
        ("RUN: {OUTPUT_DIR: 2024-02-30}", "RUN.OUTPUT_DIR", "2024-02-30"),
        ("RUN: {OUTPUT_DIR: 010}", "RUN.OUTPUT_DIR", "010"),
        ("AUG: {CROP_AREA: [5e-1, 1]}", "AUG.CROP_AREA", [0.5, 1.0]),
        ("RUN: {OUTPUT_DIR: 'runs/Größe 3'}", "RUN.OUTPUT_DIR", "runs/Größe 3"),
        ("DATA: {CACHE_DIR: ''}", "DATA.CACHE_DIR", ""),
    ],
)
def test_values_in_a_file_have_the_type_of_their_key(config_file: Write, text: str, key: str, expected: Any) -> None:
    value = lookup(load_config(config_file(f"{text}\nDATA.TRAIN: train.txt")), key)
    assert value == expected
    assert repr(value) == repr(expected)  # 1 is not 1.0, and not True


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("MODEL.PROJECTOR_DIMS", "1,5,10", [1, 5, 10]),
        ("MODEL.PROJECTOR_DIMS", "[1, 5, 10]", [1, 5, 10]),
        ("MODEL.PROJECTOR_DIMS", "(1)", [1]),
        ("MODEL.PROJECTOR_DIMS", "7", [7]),
        ("AUG.CROP_AREA", "2e-1,1", [0.2, 1.0]),
        ("OPTIM.WEIGHT_DECAY", "1e-6", 1e-6),
        ("OPTIM.BASE_LR", "3", 3.0),
        ("TRAIN.NUM_EPOCHS", "300", 300),
        ("METHOD.IN_BATCH_KEYS", "True", True),
        ("METHOD.IN_BATCH_KEYS", "false", False),
        ("RUN.OUTPUT_DIR", "123", "123"),
        ("RUN.OUTPUT_DIR", "null", "null"),
        ("DATA.CACHE_DIR", "", ""),
        ("RUN.SEED", "010", 10),
        ("CLIP.SECONDS", "010", 10.0),
    ],
)
def test_values_on_the_command_line_have_the_type_of_their_key(
    config_file: Write, key: str, text: str, expected: Any
) -> None:
    value = lookup(load_config(config_file(LISTS), [key, text]), key)
    assert repr(value) == repr(expected)


def test_an_empty_file_and_empty_sections_change_nothing(config_file: Write) -> None:
    nothing, plain = config_file("# only a comment\nTRAIN: {}\n", "a.yaml"), config_file(LISTS, "b.yaml")
    overrides = ["DATA.TRAIN", "train.txt"]
    assert changed_keys(load_config(nothing, overrides), load_config(plain)) == []


def test_the_config_cannot_be_set(config_file: Write) -> None:
    cfg = load_config(config_file(LISTS))
    epochs = cfg.TRAIN.NUM_EPOCHS
    for node, key in ((cfg, "TASK"), (cfg.TRAIN, "NUM_EPOCHS"), (cfg.OPTIM, "NEW_KEY")):
        with pytest.raises(AttributeError):
            setattr(node, key, 1)
    assert epochs == cfg.TRAIN.NUM_EPOCHS


def test_configs_do_not_share_values(config_file: Write) -> None:
    path = config_file(LISTS)
    first = load_config(path, ["AUG.CROP_AREA", "0.5,0.6", "TRAIN.NUM_EPOCHS", "77"])
    first.AUG.MEAN.append(9.0)
    second = load_config(path)
    assert second.AUG.CROP_AREA != first.AUG.CROP_AREA
    assert second.TRAIN.NUM_EPOCHS != 77
    assert len(second.AUG.MEAN) == 3


def test_changed_keys_are_the_ones_that_differ(config_file: Write) -> None:
    path = config_file(LISTS)
    before = load_config(path)
    changes = ["TRAIN.NUM_EPOCHS", "999", "AUG.CROP_AREA", "0.5,0.6", "RUN.DEVICE", "cuda", "RUN.SEED", "42"]
    after = load_config(path, changes)
    expected = ["RUN.DEVICE", "AUG.CROP_AREA", "TRAIN.NUM_EPOCHS"] + (["RUN.SEED"] if before.RUN.SEED != 42 else [])
    assert sorted(changed_keys(before, after)) == sorted(expected)
    assert changed_keys(after, after) == []


# -------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("TRAIN.NUM_EPOCH", "TRAIN.NUM_EPOCHS"),  # a typo
        ("METHOD.TARGET_TEMPRATURE", "METHOD.TARGET_TEMPERATURE"),
        ("train.num_epochs", "TRAIN.NUM_EPOCHS"),  # lower case
        ("NUM_EPOCHS", "TRAIN.NUM_EPOCHS"),  # no section
        ("SEED", "RUN.SEED"),
        ("OPTIM.NUM_EPOCHS", "TRAIN.NUM_EPOCHS"),  # the wrong section
        ("DATA.NUM_FRAMES", "CLIP.NUM_FRAMES"),  # not DATA.NUM_WORKERS
        ("EVAL.WEIGHT_DECAY", "OPTIM.WEIGHT_DECAY"),
        ("TRAINING.PRECISION", "TRAIN.PRECISION"),
        ("TASKS", "TASK"),
        ("TASK.NAME", "OPTIM.NAME"),
    ],
)
def test_an_unknown_key_names_its_nearest_neighbour(config_file: Write, key: str, nearest: str) -> None:
    end = f"unknown key {key}; did you mean {nearest}?"
    assert refusal(config_file(LISTS), [key, "1"]) == f"command line: {end}"
    path = config_file(f"{key}: 1\n{LISTS}", "unknown.yaml")
    assert refusal(path) == f"{path}: {end}"


def test_a_key_like_no_other_points_to_the_list(config_file: Write) -> None:
    message = refusal(config_file("XYZ: {QQQQ: 1}"))
    assert "unknown key XYZ.QQQQ;" in message
    assert "config/sections" in message


@pytest.mark.parametrize("value", ["", "3", "[1, 2]"])
def test_a_section_is_not_a_key(config_file: Write, value: str) -> None:
    message = refusal(config_file(f"{LISTS}OPTIM: {value}\n"))
    assert "unknown key OPTIM: it is a section" in message


@pytest.mark.parametrize(
    ("key", "written", "named", "expected"),
    [
        ("TRAIN.NUM_EPOCHS", "2.5", "'2.5'", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "2.0", "'2.0'", "a whole number"),
        # Notations of YAML 1.1 and Python.
        *(
            ("TRAIN.NUM_EPOCHS", text, f"'{text}'", "a whole number")
            for text in ("1:30", "0x10", "0b11", "1_000", "0o7", "\u0663")
        ),
        *(
            ("CLIP.SECONDS", text, f"'{text}'", "a finite number")
            for text in ("1:30", "0x10", "1_0.5", "1:30.5", "\u0663")
        ),
        *(("METHOD.IN_BATCH_KEYS", text, f"'{text}'", "true or false") for text in ("yes", "off", "No", "y", "0")),
        ("TRAIN.NUM_EPOCHS", "many", "'many'", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "true", "'true'", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "[3]", "['3']", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "null", "None", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "{", "'{'", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "2024-02-30", "'2024-02-30'", "a whole number"),
        ("OPTIM.BASE_LR", "high", "'high'", "a finite number"),
        ("OPTIM.BASE_LR", "true", "'true'", "a finite number"),
        ("OPTIM.BASE_LR", ".inf", "'.inf'", "a finite number"),
        ("OPTIM.BASE_LR", "inf", "'inf'", "a finite number"),
        ("OPTIM.BASE_LR", ".nan", "'.nan'", "a finite number"),
        ("OPTIM.BASE_LR", "nan", "'nan'", "a finite number"),
        ("METHOD.IN_BATCH_KEYS", "1", "'1'", "true or false"),
        ("METHOD.IN_BATCH_KEYS", "ja", "'ja'", "true or false"),
        ("RUN.OUTPUT_DIR", "", "None", "a text"),
        ("RUN.OUTPUT_DIR", "[a]", "['a']", "a text"),
        ("AUG.CROP_AREA", "[]", "[]", "a list"),
        ("AUG.CROP_AREA", "[0.5, wide]", "'wide'", "a finite number"),
        ("AUG.CROP_AREA", "[0.5, .nan]", "'.nan'", "a finite number"),
        ("AUG.CROP_AREA", "[[0.5, 0.6]]", "['0.5', '0.6']", "a finite number"),
        ("EVAL.RETRIEVAL_RANKS", "[1, 2.5]", "'2.5'", "a whole number"),
        ("EVAL.RETRIEVAL_RANKS", "[1, null]", "None", "a whole number"),
    ],
)
def test_a_wrong_type_names_key_value_and_what_was_expected(
    config_file: Write, key: str, written: str, named: str, expected: str
) -> None:
    quoted = f'"{written}"' if named.startswith("'") and not written.startswith("[") else written
    path = config_file(f"DATA.TRAIN: train.txt\n{key}: {quoted}")
    assert f"{path}: {key} is {named}; {expected} was expected (for example " in refusal(path)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("TRAIN.NUM_EPOCHS", "2.5", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "2024-02-30", "a whole number"),
        ("TRAIN.NUM_EPOCHS", "[", "a whole number"),
        ("OPTIM.BASE_LR", "nan", "a finite number"),
        ("OPTIM.BASE_LR", "-inf", "a finite number"),
        ("METHOD.IN_BATCH_KEYS", "1", "true or false"),
        ("EVAL.RETRIEVAL_RANKS", "1,,5", "a whole number"),
        ("EVAL.RETRIEVAL_RANKS", "", "a whole number"),
        ("AUG.CROP_AREA", "0.1;0.5", "a finite number"),
    ],
)
def test_a_wrong_type_on_the_command_line_is_named(config_file: Write, key: str, text: str, expected: str) -> None:
    message = refusal(config_file(LISTS), [key, text])
    assert message.startswith(f"command line: {key} is ")
    assert expected in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "TRAIN:\n  NUM_EPOCHS: 1\n  PRECISION: bf16\n  NUM_EPOCHS: 1\n",
            "NUM_EPOCHS is given twice, in lines 2 and 4",
        ),
        ("TRAIN: {NUM_EPOCHS: 1}\nTASK: knn\nTRAIN: {PRECISION: bf16}\n", "TRAIN is given twice, in lines 1 and 3"),
        ("TASK: knn\nTASK: knn\n", "TASK is given twice, in lines 1 and 2"),
        ("TRAIN: {NUM_EPOCHS: 1}\nTRAIN.NUM_EPOCHS: 1\n", "TRAIN.NUM_EPOCHS is given twice, nested and dotted"),
        ("_BASE_: a.yaml\n_BASE_: b.yaml\n", "_BASE_ is given twice, in lines 1 and 2"),
    ],
)
def test_a_key_written_twice_is_refused(config_file: Write, text: str, named: str) -> None:
    path = config_file(text)
    message = refusal(path)
    assert named in message
    assert str(path) in message
    assert "keep one" in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- DATA\n- TRAIN\n", "contains a list"),
        ("just words\n", "contains a text"),
        ("DATA: 'open\n", "is not YAML"),
        ("DATA:\n\tTRAIN: a\n", "is not YAML"),
        ("DATA: {TRAIN: a}\n--- \nTASK: knn\n", "is not YAML"),
        ("\x00\x01\x02", "is not YAML"),
        ("? [a, b]\n: 1\n", "line 1: this is not a key"),
        ("TASK: knn\n3: 1\n", "unknown key 3"),
        ("DATA: {_BASE_: other.yaml}\n", "unknown key DATA._BASE_"),
    ],
)
def test_other_contents_are_refused(config_file: Write, text: str, named: str) -> None:
    path = config_file(text)
    message = refusal(path)
    assert named in message
    assert str(path) in message


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir [MADE]",
        "DATA: {TRAIN: !!python/object/apply:os.mkdir [MADE]}",
        "? !!python/object/apply:os.mkdir [MADE]\n: 1",
    ],
)
def test_a_config_cannot_run_code(config_file: Write, tmp_path: Path, text: str) -> None:
    made = tmp_path / "made"
    message = refusal(config_file(text.replace("MADE", str(made))))
    assert "tags (!) are not allowed" in message
    assert not made.exists()
    key_and_value = ["TRAIN.NUM_EPOCHS", f"!!python/object/apply:os.mkdir ['{made}']"]
    assert "TRAIN.NUM_EPOCHS" in refusal(config_file(LISTS), key_and_value)
    assert not made.exists()


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == f"config {tmp_path}/none.yaml does not exist"
    assert f"config {tmp_path} cannot be read" in refusal(tmp_path)
    (tmp_path / "video.yaml").write_bytes(b"\x89\xff\xfe\x00\x01")
    assert f"config {tmp_path}/video.yaml cannot be read" in refusal(tmp_path / "video.yaml")


def test_mistakes_in_a_base_are_the_bases(config_file: Write, tmp_path: Path) -> None:
    top = config_file(f"_BASE_: base.yaml\n{LISTS}", "top.yaml")
    assert f"{tmp_path}/base.yaml does not exist" in refusal(top)
    config_file("TRAIN: {NUM_EPOCH: 3}", "base.yaml")
    assert refusal(top).startswith(f"{tmp_path}/base.yaml: unknown key TRAIN.NUM_EPOCH")


@pytest.mark.parametrize("files", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_cycles_of_bases_are_refused(config_file: Write, files: list[str]) -> None:
    for name, base in zip(files, [*files[1:], files[0]], strict=True):
        config_file(f"_BASE_: ../configs/{base}.yaml", f"configs/{name}.yaml")
    first = config_file(f"_BASE_: configs/{files[0]}.yaml", "first.yaml")
    assert "_BASE_ leads back to itself" in refusal(first)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["TRAIN.NUM_EPOCHS"], "TRAIN.NUM_EPOCHS has no value"),
        (["TASK", "knn", "TRAIN.NUM_EPOCHS"], "TRAIN.NUM_EPOCHS has no value"),
        (["TASK=knn"], "write TASK knn, without '='"),
        (["TASK=knn", "TRAIN.NUM_EPOCHS=3"], "write TASK knn, without '='"),
        (["_BASE_", "other.yaml"], "unknown key _BASE_"),
    ],
)
def test_overrides_come_in_pairs(config_file: Write, overrides: list[str], named: str) -> None:
    assert named in refusal(config_file(LISTS), overrides)


def lookup(cfg: Any, key: str) -> Any:
    for name in key.split("."):
        cfg = cfg[name]
    return cfg
