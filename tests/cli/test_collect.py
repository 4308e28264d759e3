"""One table of a folder of runs, whose files are written here by hand."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from sce_video.cli.collect import collect

REQUIRED = {"num_evaluated": 4, "num_expected": 4, "protocol": {}}


def write_run(
    folder: Path, config: str, *, loss: float | None = None, metrics: Mapping[str, float] | None = None
) -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"{config}\nRUN.OUTPUT_DIR: {folder}\nDATA.ROOT: videos\nDATA.TRAIN: a.txt\n")
    if loss is not None:
        lines = [{"step": step, "loss": loss + 1 - step} for step in (0, 1)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if metrics:
        (folder / "results.json").write_text(json.dumps({"metrics": metrics, **REQUIRED}))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Method x coefficient x seed, at several depths; BYOL has no coefficient; one run has not logged yet."""
    write_run(tmp_path / "sce" / "a", "METHOD.COEFF: 0.25\nRUN.SEED: 1", loss=2.5)
    write_run(tmp_path / "sce" / "b", "METHOD.COEFF: 0.5\nRUN.SEED: 2")
    write_run(tmp_path / "byol", "METHOD.NAME: byol\nRUN.SEED: 1", loss=0.125)
    return tmp_path


def test_settings_that_differ_and_numbers(sweep: Path, tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    shown = collect([sweep], csv_file=file, markdown_file=None)
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert set(rows[0]) == {"run", "RUN.SEED", "METHOD.NAME", "METHOD.COEFF", "step", "loss"}
    assert [tuple(row[key] for key in ("METHOD.NAME", "METHOD.COEFF", "RUN.SEED", "step", "loss")) for row in rows] == [
        ("byol", "", "1", "1", "0.125"),
        ("sce", "0.25", "1", "1", "2.5"),
        ("sce", "0.5", "2", "", ""),
    ]
    assert [row["run"] for row in rows] == [str(sweep / name) for name in ("byol", "sce/a", "sce/b")]
    assert len(shown.splitlines()) == 2 + 3


def test_metrics_of_evaluations_as_markdown(tmp_path: Path) -> None:
    for name, top1 in (("one", 0.5), ("two|2", 0.75)):
        evaluation = f"TASK: knn\nDATA.TEST: b.txt\nEVAL.CHECKPOINT: runs/{name[:3]}"
        write_run(tmp_path / name, evaluation, metrics={"knn_top1": top1})
    file = tmp_path / "runs.md"
    collect([tmp_path / "one", tmp_path / "two|2"], csv_file=None, markdown_file=file)
    assert file.read_text().splitlines() == [
        "| run | EVAL.CHECKPOINT | knn_top1 |",
        "| --- | --- | --- |",
        f"| {tmp_path}/one | runs/one | 0.5 |",
        f"| {tmp_path}/two\\|2 | runs/two | 0.75 |",
    ]
