"""Signals that ask a run to stop: noted, so that it can finish its step and save."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# From Slurm before the time is over (submitit asks for it), at preemption and scancel, from a terminal.
_ASKING = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Inside of it these signals are only noted; `received` is the first, 0 before there is one.

    A second Ctrl-C is a KeyboardInterrupt, for those who cannot wait. Off the main thread, which alone may handle
    signals, nothing is noted.
    """

    def __init__(self) -> None:
        self.received = 0
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

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number
