"""Logging of a run: text to terminal and `run.log`, metrics to `metrics.jsonl` and TensorBoard. Main process only."""

import errno
import json
import logging
import math
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from sce_video.engine.cluster.collectives import is_main_process, rank
from sce_video.engine.cluster.run_lock import require_run_lock
from sce_video.errors import UserError
from sce_video.plain_text import escaped, masked
from sce_video.runtime.files import write_text
from sce_video.special_files import refuse_special_file

LOGGER = logging.getLogger("sce_video")
RUN_LOG, METRICS_FILE = "run.log", "metrics.jsonl"
TEXT_FILE_ONLY = {"text_file_only": True}  # `extra` of a line that is not shown on the terminal
_MIN_FREE_BYTES = 1 << 20
_MAX_STEPS = 1 << 53
_MAX_VALUE = 1e100  # of a scalar: above any float32, and charts can calculate with it


class _PlainFormatter(logging.Formatter):
    """Writes out control characters and masks secrets in URLs, which file names and library messages may contain.

    `indent` marks continuation lines, so that a file name cannot fake a line of `run.log`.
    """

    def __init__(self, form: str, *, indent: str = "") -> None:
        super().__init__(form)
        self._line_end = "\n" + indent

    def format(self, record: logging.LogRecord) -> str:
        return escaped(masked(super().format(record)), kept="\n\t").replace("\n", self._line_end)


class _TqdmHandler(logging.Handler):
    """Handler for the terminal that does not break progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        if TEXT_FILE_ONLY.items() <= vars(record).items():
            return
        tqdm.write(self.format(record), file=sys.stderr)


class _TextFile(logging.FileHandler):
    """Handler for `run.log`; a full disk loses lines, without a traceback on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass


class _Kept(logging.Handler):
    """Buffer of lines logged before `run.log` exists."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def set_up_logging(folder: Path) -> None:
    """Log to the terminal and to `folder/run.log`; other ranks than the first log errors to the terminal only."""
    log_to_terminal()
    log_to(folder)


def log_to_terminal() -> None:
    """Log to the terminal, and keep the lines for `log_to`."""
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    LOGGER.propagate = False
    terminal = _TqdmHandler()
    LOGGER.addHandler(terminal)
    if not is_main_process():
        terminal.setLevel(logging.ERROR)
        terminal.setFormatter(_PlainFormatter(f"[rank {rank()}] %(message)s"))
        return
    LOGGER.setLevel(logging.INFO)
    terminal.setFormatter(_PlainFormatter("%(message)s"))
    LOGGER.addHandler(_Kept())


def log_to(folder: Path) -> None:
    """Write the lines since `log_to_terminal` and all later ones to `folder/run.log`, on the main process, once.

    Raises:
        OSError: it cannot be written, or is not a regular file.
    """
    if not is_main_process() or any(isinstance(handler, _TextFile) for handler in LOGGER.handlers):
        return
    refuse_special_file(folder / RUN_LOG)
    folder.mkdir(parents=True, exist_ok=True)
    text_file = _TextFile(folder / RUN_LOG, encoding="utf-8", errors="backslashreplace")
    text_file.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s %(message)s", indent="  "))
    for kept in [handler for handler in LOGGER.handlers if isinstance(handler, _Kept)]:
        LOGGER.removeHandler(kept)
        for record in kept.records:
            text_file.handle(record)
    LOGGER.addHandler(text_file)


class MetricsLog:
    """Scalars per optimiser step, as JSON lines and for TensorBoard; does nothing off the main process.

    A full disk loses lines, which is logged once.

    Args:
        folder: gets `metrics.jsonl` and `tensorboard/`.
        start_step: lines of an interrupted run at or past this step are dropped, since these steps are repeated.

    Attributes:
        kept: the lines before that step; none off the main process.
    """

    def __init__(self, folder: Path, *, start_step: int) -> None:
        self.kept: list[dict[str, float]] = []
        self._file = None
        self._has_failed = False
        if not is_main_process():
            return
        path = folder / METRICS_FILE
        self.kept = [line for line in logged_metrics(path) if line["step"] < start_step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in self.kept))
        self._folder = folder
        self._file = path.open("a", encoding="utf-8")
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import

        self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=start_step)

    def write(self, step: int, scalars: dict[str, float]) -> None:
        if self._file is None:
            return
        require_run_lock()
        try:
            self._file.write(json.dumps({"step": step, **scalars}) + "\n")
            self._file.flush()  # what does not fit on a full disk is retried with the next line
            if shutil.disk_usage(self._folder).free < _MIN_FREE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # TensorBoard's thread would print a traceback
            for name, value in scalars.items():
                self._tensorboard.add_scalar(name, value, step)
        except OSError as error:
            if not self._has_failed:
                LOGGER.error("metrics of step %d cannot be written (%s)", step, error)
            self._has_failed = True

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._tensorboard.close()


def logged_metrics(metrics_file: Path, *, keeps_non_finite: bool = False) -> list[dict[str, float]]:
    """Lines of a `metrics.jsonl`, none if there is no file.

    Damaged lines are left out, with a warning if one is not the last, which a crash may tear.

    Args:
        keeps_non_finite: a line with NaN or infinity is not damaged.
    """
    if not metrics_file.is_file():
        return []
    texts = metrics_file.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [_line_of(text, keeps_non_finite=keeps_non_finite) for text in texts]
    damaged = [number for number, line in enumerate(lines[:-1], start=1) if line is None]
    if damaged:
        LOGGER.warning(
            "%s: %d lines are damaged and left out, the first is line %d", metrics_file, len(damaged), damaged[0]
        )
    return [line for line in lines if line is not None]


def read_metrics(metrics_file: Path) -> list[dict[str, float]]:
    """Lines of a `metrics.jsonl`, at least one.

    Raises:
        UserError: there is no file, or no line in it.
    """
    lines = logged_metrics(metrics_file)
    if not lines:
        lack = "holds no metrics" if metrics_file.is_file() else "does not exist"
        raise UserError(f"{metrics_file} {lack}; has the run logged anything yet?")
    return lines


def _line_of(text: str, *, keeps_non_finite: bool) -> dict[str, float] | None:
    """Scalars of a line, with a `step` of at least 0; None if it is damaged."""
    try:
        line = json.loads(text)
        if not (isinstance(line, dict) and type(line["step"]) is int and 0 <= line["step"] < _MAX_STEPS):
            return None
        return line if all(_is_scalar(value, keeps_non_finite) for value in line.values()) else None
    except Exception:  # a damaged line may raise anything
        return None


def _is_scalar(value: object, keeps_non_finite: bool) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < _MAX_VALUE or (keeps_non_finite and not math.isfinite(value))
