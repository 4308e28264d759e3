"""How long each target is fuzzed, and how its bounds are held."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from types import FrameType

import pytest

SECONDS = float(os.environ.get("SCE_FUZZ_SECONDS", "4"))
_MOST_SECONDS = 30.0  # for one input of a few kilobytes
_MOST_GROWTH_BYTES = 512 * 2**20


@pytest.fixture
def seeds() -> Iterator[Iterator[int]]:
    """0, 1, 2, ... until SCE_FUZZ_SECONDS are over; each must be done within bounds of time and memory."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise AssertionError("one input takes too long")

    def numbers() -> Iterator[int]:
        until, seed = time.monotonic() + SECONDS, 0
        while time.monotonic() < until:
            signal.setitimer(signal.ITIMER_REAL, _MOST_SECONDS)
            yield seed
            seed += 1
        assert seed > 0

    before, peak = signal.signal(signal.SIGALRM, ring), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield numbers()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024 < _MOST_GROWTH_BYTES
