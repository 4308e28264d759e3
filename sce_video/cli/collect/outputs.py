"""What `collect.py` prints and writes."""

import time
from collections.abc import Sequence
from pathlib import Path

from sce_video.cli.collect.page import comparison_page
from sce_video.cli.collect.runs import read_runs
from sce_video.cli.collect.tables import csv_text, markdown_text, table_of, table_over_seeds
from sce_video.report.text_table import text_table
from sce_video.runtime.files import write_text


def collect(
    folders: Sequence[Path],
    *,
    over_seeds: bool = False,
    csv_file: Path | None = None,
    markdown_file: Path | None = None,
    html_file: Path | None = None,
) -> str:
    """The table of all runs below the folders as text; also written as CSV, as Markdown and as a page.

    Args:
        over_seeds: one row per setting, not per run; the page has both.
    Raises:
        UserError: there is no run, or a file of one is damaged.
    """
    runs = read_runs(folders)
    table = table_over_seeds(runs) if over_seeds else table_of(runs)
    if csv_file:
        write_text(csv_file, csv_text(table))
    if markdown_file:
        write_text(markdown_file, markdown_text(table))
    if html_file:
        write_text(html_file, comparison_page(runs, made_on=time.strftime("%Y-%m-%d")))
    return text_table(table.header, table.rows)
