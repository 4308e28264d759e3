"""Writing of report pages: for a run that has just ended, and for finished runs."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.config import changed_config, saved_config
from sce_video.errors import UserError
from sce_video.report.page import report_page
from sce_video.report.run_folder import REPORT_FILE, RESULTS_FILE, read_results
from sce_video.runtime.files import write_text
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.describe import build_reported_runs, describe_runs


def report_ended_run(cfg: CfgNode) -> None:
    """Write `report.html` of a finished run; a failure is only a warning, as the results are complete."""
    try:
        _write_page([cfg], Path(cfg.RUN.OUTPUT_DIR) / REPORT_FILE)
    except (UserError, OSError) as error:
        LOGGER.warning("no %s: %s", REPORT_FILE, error)


def report_ended_splits(output_dir: Path) -> None:
    """Write `report.html` of several splits in the folder above them; a failure is only a warning."""
    try:
        write_report([output_dir])
    except (UserError, OSError) as error:
        LOGGER.warning("no %s: %s", REPORT_FILE, error)


def write_report(folders: Sequence[Path], output: Path | None = None) -> Path:
    """Write the page of one run, or of several side by side.

    Args:
        folders: each the RUN.OUTPUT_DIR of a run or of several splits.
        output: file of the page; by default `report.html` in the folder of one run, or here for several.
    Raises:
        UserError: a folder holds no run, or is given twice.
    """
    runs = [cfg for folder in folders for cfg in _configs_of(folder)]
    _refuse_duplicates(runs)
    if output is None:
        output = (folders[0] if len(folders) == 1 else Path()) / REPORT_FILE
    # Several runs of one folder are splits; their mean is in the folder itself.
    summary = read_results(folders[0] / RESULTS_FILE) if len(folders) == 1 and len(runs) > 1 else {}
    _write_page(runs, output, summary=summary)
    return output


def _write_page(runs: Sequence[CfgNode], output: Path, *, summary: Mapping[str, Any] | None = None) -> None:
    reported = build_reported_runs(runs, names=_names([Path(cfg.RUN.OUTPUT_DIR) for cfg in runs]))
    write_text(
        output, report_page(reported, title=describe_runs(runs), summary=summary, made_on=time.strftime("%Y-%m-%d"))
    )
    LOGGER.info("wrote %s (%.1f MB)", output, output.stat().st_size / 1e6)


def _configs_of(folder: Path) -> list[CfgNode]:
    """Configs of the runs in a folder, which may have been moved since."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the RUN.OUTPUT_DIR of a run")
    files = [folder / "config.yaml"]
    if not files[0].is_file():
        files = sorted(folder.glob("split_*/config.yaml"))
    if not files:
        raise UserError(f"{folder} holds no config.yaml; give the RUN.OUTPUT_DIR of a run")
    return [changed_config(saved_config(file), {"RUN.OUTPUT_DIR": str(file.parent)}) for file in files]


def _refuse_duplicates(runs: Sequence[CfgNode]) -> None:
    resolved = [Path(cfg.RUN.OUTPUT_DIR).resolve() for cfg in runs]
    twice = [folder for folder in resolved if resolved.count(folder) > 1]
    if twice:
        raise UserError(f"{twice[0]} is given twice; compare a run with another one")


def _names(folders: Sequence[Path]) -> list[str]:
    """Short, distinct names of runs; "" if there is only one."""
    if len(folders) == 1:
        return [""]
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]
