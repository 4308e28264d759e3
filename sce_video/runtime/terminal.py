"""Best-effort terminal output: a full, closed or missing terminal never ends a run."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO


class _BestEffort:
    """A text stream that ignores write errors."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: it was closed in this process
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_terminal_best_effort() -> None:
    """Make stdout and stderr ignore write errors.

    A standard stream that was closed at the start (`2>&-`) becomes /dev/null, also for child processes: else the next
    file that is opened would get its number, and with it what libraries print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere > 2:
                os.close(nowhere)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if not isinstance(stream, _BestEffort):
            with suppress(AttributeError):
                stream.reconfigure(errors="backslashreplace")  # names that the terminal's encoding lacks
            setattr(sys, name, _BestEffort(stream))
