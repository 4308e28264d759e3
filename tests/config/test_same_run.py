"""Which settings may change when a run is resumed."""

from pathlib import Path

import pytest

from sce_video.config import flat_config, load_config
from sce_video.config.same_run import forbidden_changes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("DATA: {TRAIN: train.txt}\nOPTIM: {WARMUP_EPOCHS: 1}")
    return path


@pytest.mark.parametrize(
    ("before", "now", "extends", "changed"),
    [
        (100, 200, True, []),
        (100, 100, True, []),
        (100, 200, False, ["TRAIN.NUM_EPOCHS"]),
        (100, 50, False, ["TRAIN.NUM_EPOCHS"]),
        (100, 50, True, ["TRAIN.NUM_EPOCHS"]),
    ],
)
def test_more_epochs(file: Path, before: int, now: int, extends: bool, changed: list[str]) -> None:
    started = flat_config(load_config(file, ["TRAIN.NUM_EPOCHS", str(before)]))
    resumed = load_config(file, ["TRAIN.NUM_EPOCHS", str(now), "TRAIN.EXTENDS_RUN", str(extends)])
    assert forbidden_changes(started, resumed) == changed


def test_extending_a_run_allows_no_other_change(file: Path) -> None:
    started = flat_config(load_config(file))
    more = ["TRAIN.NUM_EPOCHS", "300", "TRAIN.EXTENDS_RUN", "True"]
    assert forbidden_changes(started, load_config(file, [*more, "RUN.SEED", "1"])) == ["RUN.SEED"]
    assert forbidden_changes(started, load_config(file, [*more, "DATA.NUM_WORKERS", "1"])) == []
