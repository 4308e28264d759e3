import os
import signal
import threading
import time

import pytest

from sce_video.runtime.signals import StopSignals


def test_signals_are_noted_and_handlers_come_back() -> None:
    numbers = (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        with StopSignals() as signals:
            assert signals.agreed() == 0
            os.kill(os.getpid(), number)
            assert signals.agreed() == number
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize("order", [(signal.SIGUSR2, signal.SIGTERM), (signal.SIGTERM, signal.SIGUSR2)])
def test_the_one_that_wants_a_requeue_counts(order: tuple[signal.Signals, signal.Signals]) -> None:
    with StopSignals() as signals:
        for number in order:
            os.kill(os.getpid(), number)
        assert signals.agreed() == signal.SIGUSR2


def test_one_ctrl_c_that_comes_twice_is_one_and_a_later_one_cannot_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.agreed() == signal.SIGINT
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 2)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_off_the_main_thread_nothing_is_noted() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with StopSignals() as signals:
            seen.append((signals.agreed(), signal.getsignal(signal.SIGTERM) is before))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(0, True)]
