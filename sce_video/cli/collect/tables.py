"""Tables of runs: one row per run, or per setting with mean and standard deviation over seeds."""

import csv
import io
import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sce_video.cli.collect.runs import PRETRAINING, CollectedRun

_SEEDS = ("RUN.SEED", f"{PRETRAINING}RUN.SEED")
# What would end a cell, or be HTML.
_MARKDOWN = str.maketrans({"\\": r"\\", "|": r"\|", "<": "&lt;", "&": "&amp;"})


class Table(NamedTuple):
    """Cells as text; the first columns name a row, numbers follow."""

    header: list[str]
    rows: list[list[str]]
    num_text_columns: int


def table_of(runs: Sequence[CollectedRun]) -> Table:
    """One row per run; a setting that its task does not use, and a number that it does not have, is empty."""
    keys, names = differing_keys(runs), _number_names(runs)
    rows = [[run.name, *_values(run, keys)] for run in runs]
    for row, run in zip(rows, runs, strict=True):
        for name in names:
            row.append(_number(run.numbers.get(name)))
            row += [_number(value(run)) for value in _references(runs, name).values()]
    header = [column for name in names for column in (name, *_references(runs, name))]
    return Table(["run", *keys, *header], rows, num_text_columns=1 + len(keys))


def table_over_seeds(runs: Sequence[CollectedRun]) -> Table:
    """One row per setting: number of seeds, mean of each number and standard deviation (n - 1) over runs.

    Runs that differ in nothing but their seed or that of their pretraining are one setting. A number that not all of
    them have is empty, as a mean over some seeds would not be comparable; so is a loss if one has diverged, or if they
    have not logged the same last step.
    """
    keys = [key for key in differing_keys(runs) if key not in _SEEDS]
    names, rows = _number_names(runs), []
    for group in by_setting(runs):
        row = [*_values(group[0], keys), _num_seeds(group)]
        for name in names:
            row += _mean_and_deviation(_comparable(group, name))
            row += [_number(value(group[0])) for value in _references(runs, name).values()]
        rows.append(row)
    header = ["seeds"]
    for name in names:
        header += [name, f"{name} std", *_references(runs, name)]
    return Table([*keys, *header], rows, num_text_columns=len(keys))


def by_setting(runs: Sequence[CollectedRun]) -> list[list[CollectedRun]]:
    """The runs, in groups that differ only in seeds."""
    groups: dict[tuple[tuple[str, str], ...], list[CollectedRun]] = {}
    for run in runs:
        setting = tuple(sorted((key, value) for key, value in run.settings.items() if key not in _SEEDS))
        groups.setdefault(setting, []).append(run)
    return list(groups.values())


def differing_keys(runs: Sequence[CollectedRun]) -> list[str]:
    """Keys that some of the runs use and that do not have one value in all that use them."""
    used = dict.fromkeys(key for run in runs for key in run.settings)
    return [key for key in used if len({run.settings[key] for run in runs if key in run.settings}) > 1]


def csv_text(table: Table) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.header, *table.rows])
    return text.getvalue()


def markdown_text(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "".join("| " + " | ".join(cell.translate(_MARKDOWN) for cell in line) + " |\n" for line in lines)


def _values(run: CollectedRun, keys: Sequence[str]) -> list[str]:
    return [run.settings.get(key, "") for key in keys]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _number_names(runs: Sequence[CollectedRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.numbers))


def _references(runs: Sequence[CollectedRun], name: str) -> dict[str, Callable[[CollectedRun], float | None]]:
    """Columns beside a number and what a run has there: chance level, highest floor and its error, if known."""
    columns: dict[str, Callable[[CollectedRun], float | None]] = {}
    if any(name in run.chance and name in run.numbers for run in runs):
        columns[f"{name} chance"] = lambda run: run.chance.get(name)
    if any(name in run.floors for run in runs):
        columns[f"{name} floor"] = lambda run: run.floors[name].top1 if name in run.floors else None
        columns[f"{name} floor ±"] = lambda run: run.floors[name].standard_error if name in run.floors else None
    return columns


def _num_seeds(group: Sequence[CollectedRun]) -> str:
    """How many seeds they have; also how many runs there are, if a seed was run twice."""
    num_seeds = len({tuple(_values(run, _SEEDS)) for run in group})
    return str(num_seeds) if num_seeds == len(group) else f"{num_seeds} in {len(group)} runs"


def _comparable(group: Sequence[CollectedRun], name: str) -> list[float]:
    """A number of each run; none if one lacks it, or if these are losses of different steps or not finite."""
    values = [run.numbers[name] for run in group if name in run.numbers]
    has_one_step = name != "loss" or len({run.numbers.get("step") for run in group}) == 1
    return values if len(values) == len(group) and has_one_step and all(map(math.isfinite, values)) else []


def _mean_and_deviation(values: Sequence[float]) -> list[str]:
    mean = _number(statistics.fmean(values)) if values else ""
    return [mean, _number(statistics.stdev(values)) if len(values) > 1 else ""]
