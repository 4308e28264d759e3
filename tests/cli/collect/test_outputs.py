"""The table as text, CSV, Markdown and a page."""

import csv
from collections.abc import Callable
from pathlib import Path

from sce_video.cli.collect.outputs import collect


def test_all_files_have_the_table(sweep: Path, tmp_path: Path) -> None:
    files = {f"{kind}_file": tmp_path / f"runs.{kind}" for kind in ("csv", "markdown", "html")}
    shown = collect([sweep], **files)
    with files["csv_file"].open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["run"] for row in rows] == [str(sweep / name) for name in ("byol", *sorted_names(sweep))]
    assert len(shown.splitlines()) == len(files["markdown_file"].read_text().splitlines()) == 2 + 6
    assert files["html_file"].read_text().startswith("<!DOCTYPE html>")


def sorted_names(sweep: Path) -> list[str]:
    return [str(file.parent.relative_to(sweep)) for file in sorted(sweep.glob("sce/*/*/config.yaml"))]


def test_a_row_per_setting(sweep: Path, tmp_path: Path) -> None:
    shown = collect([sweep], over_seeds=True, csv_file=tmp_path / "runs.csv")
    header = (tmp_path / "runs.csv").read_text().splitlines()[0].split(",")
    assert header[2:] == ["seeds", "step", "step std", "loss", "loss std"]
    assert len(shown.splitlines()) == 2 + 3


def test_metrics_of_evaluations_as_markdown(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    for name, top1 in (("one", 0.5), (r"two|<b>&\2", 0.75)):
        evaluation = f"TASK: knn\nDATA.TEST: b.txt\nEVAL.CHECKPOINT: runs/{name[:3]}"
        write_run(name, evaluation, metrics={"knn_top1": top1})
    file = tmp_path / "runs.md"
    collect([tmp_path / "one", tmp_path / r"two|<b>&\2"], markdown_file=file)
    assert file.read_text().splitlines() == [
        "| run | EVAL.CHECKPOINT | knn_top1 |",
        "| --- | --- | --- |",
        f"| {tmp_path}/one | runs/one | 0.5 |",
        rf"| {tmp_path}/two\|&lt;b>&amp;\\2 | runs/two | 0.75 |",
    ]
