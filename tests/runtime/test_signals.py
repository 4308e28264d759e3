import os
import signal
import threading
import time
import weakref

import pytest

from sce_video.errors import StoppedError
from sce_video.runtime.signals import StopSignals, resend_dropped_signals, stopped_by_signals


def test_signals_are_recorded_and_handlers_restored() -> None:
    numbers = (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        with StopSignals() as signals:
            assert signals.agreed() == 0
            os.kill(os.getpid(), number)
            assert signals.agreed() == number
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize("order", [(signal.SIGUSR2, signal.SIGTERM), (signal.SIGTERM, signal.SIGUSR2)])
def test_the_signal_for_a_requeue_wins(order: tuple[signal.Signals, signal.Signals]) -> None:
    with StopSignals() as signals:
        for number in order:
            os.kill(os.getpid(), number)
        assert signals.agreed() == signal.SIGUSR2


def test_a_duplicate_ctrl_c_is_ignored_and_a_later_one_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    with StopSignals() as signals:
        monkeypatch.setattr(time, "monotonic", lambda: now)
        os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr(time, "monotonic", lambda: now + 0.9)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.agreed() == signal.SIGINT
        monkeypatch.setattr(time, "monotonic", lambda: now + 2)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_off_the_main_thread_nothing_is_recorded() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with StopSignals() as signals:
            seen.append((signals.agreed(), signal.getsignal(signal.SIGTERM) is before))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(0, True)]


def test_outside_of_training_a_signal_stops_at_once() -> None:
    with stopped_by_signals():
        for number in (signal.SIGTERM, signal.SIGUSR2):
            with pytest.raises(StoppedError, match=f"stopped by signal {int(number)}$"):
                os.kill(os.getpid(), number)
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGTERM)  # which is only recorded in training
        assert signals.agreed() == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_other_handlers_stay() -> None:
    """submitit's, which counts time-outs."""
    asked = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: asked.append(number))
    try:
        with stopped_by_signals():
            os.kill(os.getpid(), signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert asked == [signal.SIGUSR2]


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, StoppedError)])
def test_a_signal_while_something_is_freed_is_not_lost(number: signal.Signals, error: type[BaseException]) -> None:
    """Python alone would print it and continue."""

    class Freed:
        pass

    def free() -> None:
        freed = Freed()
        weakref.finalize(freed, signal.raise_signal, number)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(error), stopped_by_signals(), resend_dropped_signals():
            free()
    finally:
        signal.signal(signal.SIGINT, before)
