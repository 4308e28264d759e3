"""The program as a user runs it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_knn.yaml"


def test_a_config_and_a_folder(tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "page.json"
    assert tool("describe", "--cfg", CONFIG, "EVAL.NUM_CLIPS", "2", "--json", file) == 0
    assert capsys.readouterr().out.startswith("task ")
    assert json.loads(file.read_text())["views"][0]["num_views"] == 2 * 1
    (tmp_path / "knn.yaml").write_text(f"_BASE_: {CONFIG}\n")
    assert tool("describe", "--cfg", tmp_path, "--json", file) == 0
    assert list(json.loads(file.read_text())) == ["knn"]


def test_mistakes_are_one_line(tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("describe", "--cfg", tmp_path) == 2
    assert capsys.readouterr().err == f"error: {tmp_path} has no *.yaml files; give a config or a folder of configs\n"
    with pytest.raises(SystemExit):
        tool("describe", "--cfg", CONFIG, "--gpus", "0")
