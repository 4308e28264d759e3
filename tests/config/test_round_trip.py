"""A config that is saved and loaded again is unchanged."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sce_video.config import changed_keys, config_text, load_config
from sce_video.config.defaults import SETTINGS
from sce_video.config.uses import get, used_keys, why_unused

finite = st.floats(min_value=1e-300, max_value=100)
share = st.floats(min_value=0, max_value=1)
folder = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="$~"), max_size=12
).filter(lambda text: "://" not in text)

# Keys whose valid values do not depend on other keys.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "TASK": st.sampled_from(["pretrain", "linear", "knn", "retrieval"]),
    "DATA.ROOT": folder,
    "DATA.NUM_WORKERS": st.integers(-1, 64),
    "DATA.MAX_FAILED_SHARE": share,
    "CLIP.SECONDS": finite,
    "AUG.CROP_AREA": st.lists(share.filter(lambda v: v > 0), min_size=2, max_size=2).map(sorted),
    "AUG.MEAN": st.lists(st.floats(-1000, 1000), min_size=3, max_size=3),
    "MODEL.PROJECTOR_DIMS": st.lists(st.integers(1, 10**6), min_size=1, max_size=5),
    "METHOD.IN_BATCH_KEYS": st.booleans(),
    "METHOD.TEMPERATURE": finite,
    "OPTIM.NAME": st.sampled_from(["lars", "sgd", "adamw"]),
    "OPTIM.WEIGHT_DECAY": st.sampled_from([0.0, 1e-6, 5e-324, 1e3]) | finite,
    "EVAL.CHECKPOINT": folder,
    "EVAL.RETRIEVAL_RANKS": st.lists(st.integers(1, 10**6), min_size=1, max_size=5),
    "RUN.OUTPUT_DIR": folder,
    "RUN.SEED": st.integers(-(2**63), 2**63 - 1),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("configs")
    (path / "config.yaml").write_text("_BASE_: base.yaml\n")
    (path / "base.yaml").write_text("DATA: {TRAIN: train.txt, TEST: test.txt}\n")
    return path


@settings(max_examples=40)
@given(drawn=st.fixed_dictionaries({}, optional=VALUES))
def test_any_config_comes_back_from_its_text(files: Path, drawn: dict[str, Any]) -> None:
    overrides = [text for key, value in drawn.items() for text in (key, str(value))]
    cfg = load_config(files / "config.yaml", shared=overrides)
    for key, value in drawn.items():
        assert get(cfg, key) == (SETTINGS[key].default if why_unused(cfg, key) else value)
    again = reloaded(cfg, files)
    assert changed_keys(cfg, again) == []
    assert again == cfg
    assert config_text(again) == config_text(cfg)


@settings(max_examples=40)
@given(text=folder)
@example("null")
@example("./~")
@example("010")
@example("1:30")
@example("no")
@example("yes")
@example("1e-6")
@example("12")
@example("0x10")
@example("2024-01-01")
@example(" lead and trail ")
@example("a: b # c")
@example("[1, 2]")
@example("!!python/name:os.system")
@example("<<")
@example("=")
@example("Größe 日本 \N{GRINNING FACE}")
def test_texts_that_yaml_would_read_as_something_else_stay_texts(files: Path, text: str) -> None:
    cfg = load_config(files / "config.yaml", ["RUN.OUTPUT_DIR", text])
    assert text == cfg.RUN.OUTPUT_DIR
    assert text == reloaded(cfg, files).RUN.OUTPUT_DIR


@pytest.mark.parametrize("task", ["pretrain", "knn"])
def test_the_text_is_complete_and_plain(files: Path, task: str) -> None:
    """It has every key that the task uses, and any YAML parser can read it."""
    cfg = load_config(files / "config.yaml", ["TASK", task], shared=["OPTIM.WEIGHT_DECAY", "1e-6"])
    content = yaml.safe_load(config_text(cfg))
    written = {f"{section}.{name}" for section, part in content.items() if section != "TASK" for name in part}
    assert {"TASK", *written} == set(used_keys(cfg))
    for section, part in content.items():
        assert part == (cfg[section] if section == "TASK" else {name: cfg[section][name] for name in part})


def reloaded(cfg: Any, folder: Path) -> Any:
    path = folder / "again.yaml"
    path.write_text(config_text(cfg), encoding="utf-8")
    return load_config(path)
