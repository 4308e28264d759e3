"""The program as a user runs it."""

from collections.abc import Callable
from pathlib import Path

import pytest


def test_a_table_and_mistakes(tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("collect", tmp_path) == 2
    assert capsys.readouterr().err == f"error: no config.yaml of a run below {tmp_path}; give folders of runs\n"
    run, table = tmp_path / "run", tmp_path / "runs.csv"
    run.mkdir()
    (run / "config.yaml").write_text("DATA.ROOT: videos\nDATA.TRAIN: a.txt\n")
    (run / "results.json").write_text("{}")
    assert tool("collect", tmp_path) == 2
    assert "results.json does not hold the results of an evaluation" in capsys.readouterr().err
    (run / "results.json").unlink()
    assert tool("collect", tmp_path, "--csv", table) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run)
    assert table.read_text() == f"run\n{run}\n"
