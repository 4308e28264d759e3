"""Expansion of `~` and variables in the paths of a config."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.config import config_text, load_config
from sce_video.config.defaults import SETTINGS
from sce_video.errors import ConfigError

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": "/home/ada", "DATA_DIR": "/mnt/data", "NESTED": "$DATA_DIR/x", "TILDE": "~/x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NOWHERE", raising=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$NOWHERE/x", "the environment variable NOWHERE is not set; write the path out"),
        ("${NOWHERE}", "the environment variable NOWHERE is not set"),
        ("~nobody_of_this_name/x", "or ./~nobody_of_this_name/x"),
        ("$NESTED", "contains another variable"),
    ],
)
def test_refused(config_file: Write, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="RUN.OUTPUT_DIR is ") as caught:
        load_config(config_file("DATA: {TRAIN: t}"), ["RUN.OUTPUT_DIR", text])
    assert words in str(caught.value)


def test_every_path_of_a_config_is_expanded_in_files_too(config_file: Write) -> None:
    """The saved config has the expanded paths."""
    keys = [key for key, setting in SETTINGS.items() if setting.is_path]
    assert len(keys) == 11
    of_pretraining = {"MODEL.WEIGHTS", "DATA.IMAGE_ROOT", "DATA.IMAGE_TRAIN"}
    starts = {
        "TASK: extract\nDATA.SOURCE: kinetics200\n": set(keys) - of_pretraining,
        "DATA.IMAGE_SHARE: 0.5\n": {*of_pretraining, "DATA.TRAIN"},
    }
    for start, used in starts.items():
        cfg = load_config(config_file(start + "".join(f"{key}: ~/$DATA_DIR\n" for key in used)))
        for key in used:
            section, name = key.split(".")
            assert cfg[section][name] == "/home/ada//mnt/data"
        assert "$" not in config_text(cfg)


def test_the_file_and_its_base_are_paths(config_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config_file("DATA: {TRAIN: t}\nRUN: {SEED: 5}", "base.yaml")
    config_file("_BASE_: ~/base.yaml", "top.yaml")
    assert load_config("~/top.yaml").RUN.SEED == 5
    with pytest.raises(ConfigError, match="--cfg is '[$]NOWHERE/x.yaml'; the environment variable NOWHERE is not set"):
        load_config("$NOWHERE/x.yaml")
