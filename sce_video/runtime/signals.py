"""Stop signals, recorded so that a run can finish its step and save."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sce_video.engine.cluster.collectives import largest_of_ranks
from sce_video.errors import StoppedError

# Ctrl-C; Slurm's preemption and scancel; Slurm's warning before the time limit. Of several, the last one here counts.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
# A launcher and the terminal may both forward the same Ctrl-C.
_SAME_CTRL_C_SECONDS = 1.0
# Longer than it takes to leave the destructor that dropped the exception.
_RESEND_DELAY_SECONDS = 0.05


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Context in which SIGTERM and SIGUSR2 raise StoppedError, unless they have another handler, as in training."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise StoppedError(number)

    unhandled = [number for number in (signal.SIGTERM, signal.SIGUSR2) if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        unhandled = []
    for number in unhandled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in unhandled:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def resend_dropped_signals() -> Iterator[None]:
    """Context in which a Ctrl-C or StoppedError is effective even if raised in a destructor or a weakref's callback.

    Python prints exceptions there and continues, so a program would sometimes not stop.
    """
    timers: list[threading.Timer] = []

    def send_again(dropped: "sys.UnraisableHookArgs") -> None:
        error = dropped.exc_value
        if not isinstance(error, KeyboardInterrupt | StoppedError):
            before(dropped)
            return
        number = error.signal_number if isinstance(error, StoppedError) else signal.SIGINT
        timers.append(threading.Timer(_RESEND_DELAY_SECONDS, os.kill, [os.getpid(), number]))
        timers[-1].start()

    before, sys.unraisablehook = sys.unraisablehook, send_again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in timers:
            timer.join()


class StopSignals:
    """Context in which stop signals are only recorded.

    Another Ctrl-C more than a second later raises KeyboardInterrupt. Off the main thread, which alone may handle
    signals, nothing is recorded.
    """

    def __init__(self) -> None:
        self._priority = 0  # 1 + index in `_STOP_SIGNALS`
        self._first_seconds = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._record) for number in _STOP_SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def agreed(self) -> int:
        """The stop signal that any rank has received, the same on all ranks; 0 if there is none."""
        priority = largest_of_ranks(self._priority)
        return int(_STOP_SIGNALS[priority - 1]) if priority else 0

    def _record(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._priority == 0:
            self._first_seconds = now
        elif number == signal.SIGINT and now - self._first_seconds > _SAME_CTRL_C_SECONDS:
            raise KeyboardInterrupt
        self._priority = max(self._priority, 1 + _STOP_SIGNALS.index(signal.Signals(number)))
