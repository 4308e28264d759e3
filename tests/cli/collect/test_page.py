"""The page that compares runs."""

import math
from dataclasses import replace
from pathlib import Path

from sce_video.cli.collect.page import comparison_page
from sce_video.cli.collect.runs import CollectedRun, read_runs
from sce_video.cli.collect.tables import table_over_seeds
from tests.report.runs import NASTY, parse, rows_of, table


def test_tables_and_one_chart_of_all_losses(sweep: Path) -> None:
    """Five of the six runs have logged; names start below the folder that all share."""
    page = parse(comparison_page(read_runs([sweep]), made_on="2026-11-29"))
    assert len(page.one("svg", role="img").all("polyline")) == 5
    assert [entry.text.strip() for entry in page.one("ul", class_="legend").all("li")][:2] == [
        "byol",
        "sce/coeff_0.25/seed_1",
    ]
    assert [row[0] for row in rows_of(table(page, "Settings in which the runs differ"))][-1] == "sce/coeff_0.5/seed_2"
    assert rows_of(table(page, "over seeds")) == table_over_seeds(read_runs([sweep])).rows
    assert "compare shapes, not values" in page.text


def test_without_seeds_and_losses() -> None:
    """One method: its losses are one quantity."""
    run = CollectedRun(
        "a/b", {"METHOD.NAME": "sce"}, {"loss": 1.0}, log=[{"step": 0, "loss": 1.0}, {"step": 1, "loss": math.nan}]
    )
    page = parse(comparison_page([run], made_on="2026-11-29"))
    assert "nan" not in page.one("section", id="curves").text
    assert page.all("section", id="seeds") == []
    assert "compare shapes" not in page.text
    assert parse(comparison_page([replace(run, log=[])], made_on="")).all("section", id="curves") == []


def test_names_and_values_stay_text() -> None:
    runs = [
        CollectedRun(
            f"{number}{NASTY}", {"DATA.ROOT": f"{NASTY}{number}"}, {NASTY: 1.0}, log=[{"step": 0, "loss": 1.0}]
        )
        for number in range(2)
    ]
    page = comparison_page(runs, made_on="2026-11-29")
    assert "<img" not in page
    assert parse(page).all("img") == parse(page).all("script") == []  # it has no controls
    assert "default-src &#x27;none&#x27;" in page
