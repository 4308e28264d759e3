"""The demo program with all its steps, but so small that its numbers mean nothing."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "tools/demo.py", *arguments], cwd=REPOSITORY, capture_output=True, text=True)


def test_the_demo_writes_table_results_and_pages(tmp_path: Path) -> None:
    size = ["--train", "4", "--test", "1", "--seed", "3"]
    outcome = demo("--output", str(tmp_path), *size, "TRAIN.NUM_EPOCHS", "2", "DATA.NUM_WORKERS", "0")
    assert outcome.returncode == 0, outcome.stderr
    for words in ("random initialisation", "SCE", "kNN top-1 %", "retrieval R@1 %"):
        assert words in outcome.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    for name in ("random", "sce"):
        assert results[name].keys() == {"knn_top1", "retrieval_r1"}
        assert all(0 <= share <= 1 for share in results[name].values())
    assert results["seed"] == 3
    assert results["clips_per_second"] > 0
    assert f"curves are in {tmp_path}/pretrain/report.html" in outcome.stderr
    assert (tmp_path / "pretrain" / "report.html").read_text().count("<polyline") >= 4
    assert len(list((tmp_path / "videos" / "train").rglob("*.mp4"))) == 32
    page = (tmp_path / "report.html").read_text()
    assert all(run in page for run in ("random_retrieval", "sce_retrieval"))
    assert "Nearest videos" in page
    assert "Is it learning?" in page
    for question in ("Is it learning? ", "What do the features see? "):
        assert question in outcome.stderr
    assert "What the features see" in page


@pytest.mark.thorough
def test_the_hard_demo_shows_the_floors_of_its_videos(tmp_path: Path) -> None:
    size = ["--hard", "--train", "4", "--test", "1"]
    outcome = demo("--output", str(tmp_path), *size, "TRAIN.NUM_EPOCHS", "2", "DATA.NUM_WORKERS", "0")
    assert outcome.returncode == 0, outcome.stderr
    assert len(list((tmp_path / "videos" / "train").rglob("session_*.mp4"))) == 32
    table = outcome.stderr.split("held-out videos, 8 motions")[-1]
    assert re.search(r"\nfloor: majority class +12\.5 +-\n", table)  # one video of each class
    for title in ("middle frame", "absolute differences", "signed differences", "ridge"):
        assert f"\nfloor: {title} " in table
    assert "floor: random" not in table
    assert "of the nearest neighbours are of the same group" in outcome.stderr
    assert "Floors, top-1 in percent" in (tmp_path / "report.html").read_text()
    assert "FLIP_PROBABILITY: 0.0" in (tmp_path / "pretrain" / "config.yaml").read_text()


@pytest.mark.thorough
def test_an_interrupted_demo_does_not_promise_to_resume(tmp_path: Path) -> None:
    command = [sys.executable, "tools/demo.py", "--output", str(tmp_path / "out"), "--train", "400"]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "writing videos to" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().splitlines()[-1].endswith("stopped; the demo starts again when rerun")
    assert process.returncode == 130


def test_an_error_is_one_line(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("demo", "--output", tmp_path / "out", "TRAIN.EPOCHS", "2") == 2
    assert capsys.readouterr().err.strip() == (
        "error: command line: unknown key TRAIN.EPOCHS; did you mean TRAIN.NUM_EPOCHS?"
    )


def test_a_negative_seed_is_refused(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        tool("demo", "--output", tmp_path / "out", "--seed", "-1")
    assert stopped.value.code == 2
    assert "argument --seed: '-1' is not a whole number of at least 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_only_an_earlier_demo_is_deleted(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert tool("demo", "--output", tmp_path) == 2
    assert "holds files that no demo wrote" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
