"""The page of a study: which runs count, and what its bars and curves show."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def row(setting: str, seed: int, step: int, share: float) -> dict[str, object]:
    return {"setting": setting, "seed": seed, "step": step, "evaluation": "knn", "knn_top1": share}


def test_a_run_of_two_files_counts_once(tmp_path: Path, benchmark_module: Callable[[str], ModuleType]) -> None:
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    files[0].write_text(json.dumps({"rows": [row("a", 0, 5, 0.1), row("a", 1, 5, 0.2)]}))
    files[1].write_text(json.dumps({"rows": [row("a", 0, 5, 0.3), row("b", 0, 5, 0.4)]}))
    found = benchmark_module("study_page").merged(files)
    assert found == [row("a", 0, 5, 0.3), row("a", 1, 5, 0.2), row("b", 0, 5, 0.4)]


def test_bars_are_of_the_last_step_and_curves_of_all(benchmark_module: Callable[[str], ModuleType]) -> None:
    rows = [row("a", seed, step, share) for step in (5, 9) for seed, share in enumerate((0.2, 0.3 + step / 100))]
    rows += [row("random", 0, 0, 0.1), row("hidden", 0, 9, 0.99)]
    page = benchmark_module("study_page").page("s", rows, {"knn": "knn_top1", "other": "x"}, ["a", "random"])
    summaries = re.findall(r"<title>(.*?)</title>", page)
    assert summaries[1] == "knn top1. a (2): 29.50. random (1): 10.00."  # (20 + 39) / 2
    assert summaries[2].startswith(
        "knn top1, mean over seeds, percent, over optimiser steps. a: from 27.5 at step 5 to 29.5"
    )
    assert len(summaries) == 3
    assert "99" not in summaries[1]


def bars_of(page: str) -> list[float]:
    """Where bars, lines and grid begin and end, pixels; labels are left of 240 and right of 564."""
    figures = "".join(re.findall(r'<figure class="bars">.*?</figure>', page, re.DOTALL))
    return [float(x) for x in re.findall(r'(?:\bx1|\bx2|<rect x)="(.*?)"', figures)]


def test_bars_of_similarities_below_0_stay_beside_their_labels(
    benchmark_module: Callable[[str], ModuleType],
) -> None:
    """By hand: the mean is -0.10, and one deviation below it -0.38."""
    rows = [{**row("a", seed, 5, 0.0), "examine_frozen": value} for seed, value in enumerate((-0.3, 0.1))]
    page = benchmark_module("study_page").page("s", rows, {"knn": "examine_frozen"}, ["a"])
    assert "examine frozen. a (2): -0.10." in page
    assert "percent" not in page
    assert "0: another video, 1: the same feature" in page
    assert min(bars_of(page)) >= 240


def test_the_deviation_of_shares_stays_beside_the_numbers(benchmark_module: Callable[[str], ModuleType]) -> None:
    """By hand: 95 and 7.1 above and below it: above 100, and above the highest seed."""
    rows = [row("a", seed, 5, share) for seed, share in enumerate((0.9, 1.0))]
    page = benchmark_module("study_page").page("s", rows, {"knn": "knn_top1"}, ["a"])
    assert ">percent</text>" in page
    assert 240 <= min(bars_of(page)) < max(bars_of(page)) <= 564
