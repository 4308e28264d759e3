"""Rows of runs, and mean and deviation over seeds against numbers calculated by hand."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.cli.collect.runs import CollectedRun, read_runs
from sce_video.cli.collect.tables import table_of, table_over_seeds
from sce_video.report.floors import Floor, add_floors


def test_settings_that_differ_and_numbers(sweep: Path) -> None:
    table = table_of(read_runs([sweep]))
    assert set(table.header) == {"run", "RUN.SEED", "METHOD.NAME", "METHOD.COEFF", "step", "loss"}
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    assert [tuple(row[key] for key in ("METHOD.NAME", "METHOD.COEFF", "RUN.SEED", "step", "loss")) for row in rows] == [
        ("byol", "", "1", "1", "0.125"),
        ("sce", "0.25", "1", "1", "2.5"),
        ("sce", "0.25", "2", "1", "3.5"),
        ("sce", "0.25", "3", "1", "4.5"),
        ("sce", "0.5", "1", "1", "1"),
        ("sce", "0.5", "2", "", ""),
    ]
    assert rows[0]["run"] == str(sweep / "byol")
    assert table.header[: table.num_text_columns][0] == "run"
    assert table.header[table.num_text_columns :] == ["step", "loss"]


def test_mean_and_deviation_over_seeds(sweep: Path) -> None:
    """2.5, 3.5 and 4.5: 3.5 and 1. One run alone has no deviation; if a seed lacks a number there is no mean."""
    table = table_over_seeds(read_runs([sweep]))
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    names = ("METHOD.NAME", "METHOD.COEFF", "seeds", "loss", "loss std")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("byol", "", "1", "0.125", ""),
        ("sce", "0.25", "3", "3.5", "1"),
        ("sce", "0.5", "2", "", ""),
    ]


def test_seeds_of_evaluations_are_those_of_their_pretrainings(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    """0.5 and 0.75: mean 0.625, deviation sqrt(2 * 0.125^2). Random weights are a row of their own."""
    for seed, top1 in ((1, 0.5), (2, 0.75)):
        pretraining = write_run(f"pretrain_{seed}", f"RUN.SEED: {seed}")
        for name, path, metric in (("sce", pretraining, top1), ("random", "", 0.25)):
            config = f"TASK: knn\nDATA.TEST: b.txt\nEVAL.CHECKPOINT: '{path}'\nRUN.SEED: {seed}"
            write_run(f"knn/{name}_{seed}", config, metrics={"knn_top1": metric}, chance={"knn_top1": 0.125})
    table = table_over_seeds(read_runs([tmp_path / "knn"]))
    assert table.header == ["EVAL.CHECKPOINT", "seeds", "knn_top1", "knn_top1 std", "knn_top1 chance"]
    assert table.rows == [['""', "2", "0.25", "0", "0.125"], ["a run", "2", "0.625", "0.176777", "0.125"]]


def test_a_seed_that_was_run_twice_is_not_two_seeds() -> None:
    runs = [CollectedRun(name, {"RUN.SEED": "1"}, {"loss": 1.0}) for name in "ab"]
    assert table_over_seeds(runs).rows == [["1 in 2 runs", "1", "0"]]


@pytest.mark.parametrize("make", [table_of, table_over_seeds])
def test_the_highest_floor_stands_beside_its_metric(
    make: Callable, tmp_path: Path, write_run: Callable[..., Path]
) -> None:
    lists = {"lists": {"digest": "a", "floors_file": ""}}
    write_run("floors", "TASK: knn\nDATA.TEST: b.txt", metrics={"ridge": 0.25})
    floors = [Floor("ridge", 0.25, 0.0625), Floor("middle frame", 0.125, 0.03125)]
    (tmp_path / "floors" / "floors.json").write_text(add_floors(tmp_path / "none.json", "a", floors))
    write_run("knn", "TASK: knn\nDATA.TEST: b.txt", metrics={"knn_top1": 0.5, "knn_top5": 0.75}, **lists)
    table = make(read_runs([tmp_path / "knn"]))
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert {name: row[name] for name in row if name.startswith("knn") and "std" not in name} == {
        "knn_top1": "0.5",
        "knn_top1 floor": "0.25",
        "knn_top1 floor ±": "0.0625",
        "knn_top5": "0.75",
    }


@pytest.mark.parametrize("make", [table_of, table_over_seeds])
def test_chance_stands_beside_its_metric(make: Callable) -> None:
    run = CollectedRun("a", {}, {"loss": 1.0, "knn_top1": 0.5, "knn_top5": 0.75}, {"knn_top1": 0.125})
    header = make([run]).header
    assert header.index("knn_top1 chance") > header.index("knn_top1")
    assert header.index("knn_top1 chance") < header.index("knn_top5")
    assert "loss chance" not in header


@pytest.mark.parametrize(
    "others", [{"step": 8, "loss": 3.0}, {"step": 9, "loss": math.nan}, {"step": 9, "loss": math.inf}]
)
def test_losses_that_are_not_comparable_have_no_mean(others: dict[str, float]) -> None:
    """Of another step, or diverged. Metrics are of the end of a run."""
    numbers = [{"step": 9, "loss": 2.0, "top1": 0.5}, {**others, "top1": 1.0}]
    runs = [CollectedRun("a", {"RUN.SEED": str(seed)}, each) for seed, each in enumerate(numbers)]
    table = table_over_seeds(runs)
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert (row["loss"], row["loss std"], row["top1"]) == ("", "", "0.75")
    assert [line[-2] for line in table_of(runs).rows] == ["2", f"{others['loss']:g}"]
