import os
import signal
import threading

import pytest

from sce_video.runtime.signals import StopSignals


def test_the_first_signal_is_noted_and_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)]
    with StopSignals() as signals:
        assert signals.received == 0
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == signal.SIGUSR2
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)] == before


def test_who_presses_ctrl_c_twice_cannot_wait() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_off_the_main_thread_nothing_is_noted() -> None:
    received = []

    def run() -> None:
        with StopSignals() as signals:
            received.append(signals.received)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert received == [0]
