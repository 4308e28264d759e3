"""`collect.py`: a table of all runs below some folders: the settings in which they differ, loss, metrics."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fvcore.common.config import CfgNode

from sce_video.config import saved_config
from sce_video.config.uses import get, used_keys, why_unused
from sce_video.errors import UserError
from sce_video.plain_text import escaped
from sce_video.report.run_folder import RESULTS_FILE, read_results
from sce_video.report.text_table import text_table
from sce_video.runtime.files import write_text
from sce_video.runtime.logging import METRICS_FILE, logged_metrics

_CONFIG_FILE = "config.yaml"
# Folders and files of a run, different in each.
_OWN_KEYS = ("RUN.OUTPUT_DIR", "EVAL.FEATURES_DIR")


class CollectedRun(NamedTuple):
    """A run's folder as given, its config, and its numbers by name: of the last logged step and of `results.json`."""

    name: str
    cfg: CfgNode
    numbers: dict[str, float]


class Table(NamedTuple):
    header: list[str]
    rows: list[list[str]]


def collect(folders: Sequence[Path], *, csv_file: Path | None, markdown_file: Path | None) -> str:
    """The table of all runs below the folders as text; also written as CSV and Markdown.

    Raises:
        UserError: there is no run, or a file of one is damaged.
    """
    files = sorted({file for folder in folders for file in folder.rglob(_CONFIG_FILE)})
    if not files:
        raise UserError(f"no {_CONFIG_FILE} below {', '.join(map(str, folders))}; give folders of runs")
    table = table_of([_read(file.parent) for file in files])
    if csv_file:
        write_text(csv_file, csv_text(table))
    if markdown_file:
        write_text(markdown_file, markdown_text(table))
    return text_table(table.header, table.rows)


def _read(folder: Path) -> CollectedRun:
    *_, last = [{}, *logged_metrics(folder / METRICS_FILE)]
    numbers: dict[str, float] = {name: last[name] for name in ("step", "loss") if name in last}
    numbers |= read_results(folder / RESULTS_FILE).get("metrics", {})
    return CollectedRun(escaped(str(folder)), saved_config(folder / _CONFIG_FILE), numbers)


def table_of(runs: Sequence[CollectedRun]) -> Table:
    """One row per run; a setting that its task does not use, and a number that it does not have, is empty."""
    keys = _differing_keys([run.cfg for run in runs])
    names = list(dict.fromkeys(name for run in runs for name in run.numbers))
    return Table(["run", *keys, *names], [_row(run, keys, names) for run in runs])


def _row(run: CollectedRun, keys: Sequence[str], names: Sequence[str]) -> list[str]:
    settings = ["" if why_unused(run.cfg, key) else str(get(run.cfg, key)) for key in keys]
    return [run.name, *settings, *(f"{run.numbers[name]:.6g}" if name in run.numbers else "" for name in names)]


def _differing_keys(configs: Sequence[CfgNode]) -> list[str]:
    """Keys that some of the runs use and that do not have one value in all of them."""
    used = dict.fromkeys(key for cfg in configs for key in used_keys(cfg) if key not in _OWN_KEYS)
    return [key for key in used if len({str(get(cfg, key)) for cfg in configs}) > 1]


def csv_text(table: Table) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.header, *table.rows])
    return text.getvalue()


def markdown_text(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
