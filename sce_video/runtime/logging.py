"""Logging of a run: text to terminal and `run.log`, metrics to `metrics.jsonl` and TensorBoard. Main process only."""

import errno
import json
import logging
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from sce_video.engine.cluster.collectives import is_main_process, rank
from sce_video.engine.cluster.run_lock import require_run_lock
from sce_video.errors import UserError
from sce_video.plain_text import escaped, masked
from sce_video.runtime.files import write_text
from sce_video.special_files import refuse_special_file

LOGGER = logging.getLogger("sce_video")
RUN_LOG, METRICS_FILE = "run.log", "metrics.jsonl"
TEXT_FILE_ONLY = {"text_file_only": True}  # `extra` of a line that the terminal is spared
_LEAST_FREE_BYTES = 1 << 20
_MOST_STEPS = 1 << 53
_MOST = 1e100  # of a scalar: those of a run are float32, and charts calculate with them


class _PlainFormatter(logging.Formatter):
    """Names of files, and what libraries say of them, neither steer the terminal nor show a secret of a URL.

    Lines of `run.log` that begin with white space belong to the one above: a name cannot make up one of its own.
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
    """Handler for `run.log`; a full disk loses lines there, without a traceback on the terminal."""

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
    """Send the package's log lines to the terminal and to `folder/run.log`; of other ranks errors to the terminal."""
    log_to_terminal()
    log_to(folder)


def log_to_terminal() -> None:
    """Send the package's log lines there; `log_to` writes them to a file, too, from the first on."""
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
        OSError: it cannot be written, or something else has that name.
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

    A disk that is full costs lines, and is said once.

    Args:
        folder: gets `metrics.jsonl` and `tensorboard/`.
        start_step: lines of an interrupted run at or past this step are dropped, since they are made again.
    """

    def __init__(self, folder: Path, *, start_step: int) -> None:
        self._file = None
        self._has_failed = False
        if not is_main_process():
            return
        path = folder / METRICS_FILE
        kept = [line for line in logged_metrics(path) if line["step"] < start_step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._folder = folder
        self._file = path.open("a", encoding="utf-8")
        from torch.utils.tensorboard import SummaryWriter  # a second of every program's start

        self._tensorboard = SummaryWriter(str(folder / "tensorboard"), purge_step=start_step)

    def write(self, step: int, scalars: dict[str, float]) -> None:
        if self._file is None:
            return
        require_run_lock()
        try:
            self._file.write(json.dumps({"step": step, **scalars}) + "\n")
            self._file.flush()  # what a full disk does not take is tried again with the next line
            if shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # its thread would say so with a traceback
            for name, value in scalars.items():
                self._tensorboard.add_scalar(name, value, step)
        except OSError as error:
            if not self._has_failed:
                LOGGER.error("metrics of step %d cannot be written (%s)", step, error)
            self._has_failed = True

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._tensorboard.close()


def logged_metrics(metrics_file: Path) -> list[dict[str, float]]:
    """The lines of a `metrics.jsonl`, none if there is no file.

    What is torn by a crash or otherwise no line of numbers is left out; where it is not the last one that is said.
    """
    if not metrics_file.is_file():
        return []
    texts = metrics_file.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [_line_of(text) for text in texts]
    damaged = [number for number, line in enumerate(lines[:-1], start=1) if line is None]
    if damaged:
        LOGGER.warning(
            "%s: %d lines are damaged and left out, the first is line %d", metrics_file, len(damaged), damaged[0]
        )
    return [line for line in lines if line is not None]


def read_metrics(metrics_file: Path) -> list[dict[str, float]]:
    """The same, at least one.

    Raises:
        UserError: no such file, or nothing in it.
    """
    lines = logged_metrics(metrics_file)
    if not lines:
        lack = "holds no metrics" if metrics_file.is_file() else "does not exist"
        raise UserError(f"{metrics_file} {lack}; has the run logged anything yet?")
    return lines


def _line_of(text: str) -> dict[str, float] | None:
    """Scalars by name and a `step`, a whole number from 0; None for anything else."""
    try:
        line = json.loads(text)
        if not (isinstance(line, dict) and type(line["step"]) is int and 0 <= line["step"] < _MOST_STEPS):
            return None
        return line if all(type(value) in (int, float) and abs(value) < _MOST for value in line.values()) else None
    except Exception:  # the border: whatever is raised while a line is read says that it is none
        return None
