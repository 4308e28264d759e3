"""Stop signals, recorded so that a run can finish its step and save."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from sce_video.engine.cluster.collectives import largest_of_ranks
from sce_video.errors import StoppedError

# From a terminal; from Slurm at preemption and scancel; before the time is over. Of several the last one here counts.
_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
# A launcher and the terminal may both pass one Ctrl-C on.
_SECONDS_OF_ONE = 1.0
# Longer than it takes to leave the destructor that has dropped a signal's error.
_SECONDS_UNTIL_AGAIN = 0.05


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Inside it SIGTERM and SIGUSR2 raise StoppedError at once, where nobody else handles them: so not in training."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise StoppedError(number)

    free = [number for number in (signal.SIGTERM, signal.SIGUSR2) if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        free = []
    for number in free:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in free:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def dropped_signals_sent_again() -> Iterator[None]:
    """Inside it a Ctrl-C or a StoppedError ends what runs even if it comes in a destructor or a weakref's callback.

    Python prints what those raise and goes on: a program that frees much would now and then not stop.
    """
    again: list[threading.Timer] = []

    def send_again(dropped: "sys.UnraisableHookArgs") -> None:
        error = dropped.exc_value
        if not isinstance(error, KeyboardInterrupt | StoppedError):
            before(dropped)
            return
        number = error.signal_number if isinstance(error, StoppedError) else signal.SIGINT
        again.append(threading.Timer(_SECONDS_UNTIL_AGAIN, os.kill, [os.getpid(), number]))
        again[-1].start()

    before, sys.unraisablehook = sys.unraisablehook, send_again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in again:
            timer.join()


class StopSignals:
    """Context in which stop signals are only recorded.

    A second Ctrl-C, a second later, is a KeyboardInterrupt, for those who cannot wait. Off the main thread, which alone
    may handle signals, nothing is noted.
    """

    def __init__(self) -> None:
        self._priority = 0  # 1 + index in `_ASKING`
        self._first_seconds = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _ASKING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def agreed(self) -> int:
        """The signal that one of the ranks has received, the same on all of them; 0 if there is none."""
        priority = largest_of_ranks(self._priority)
        return int(_ASKING[priority - 1]) if priority else 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._priority == 0:
            self._first_seconds = now
        elif number == signal.SIGINT and now - self._first_seconds > _SECONDS_OF_ONE:
            raise KeyboardInterrupt
        self._priority = max(self._priority, 1 + _ASKING.index(signal.Signals(number)))
