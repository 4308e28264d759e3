"""The throughput meter under a clock that the test turns."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from sce_video.runtime import meters
from sce_video.runtime.meters import ThroughputMeter


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def perf_counter(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meters, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def slow_batches(clock: Clock, waits: list[float]) -> Iterator[int]:
    for index, wait in enumerate(waits):
        clock.seconds += wait
        yield index


def test_clips_per_second_and_share_of_waiting(clock: Clock) -> None:
    """Waits of 1, 2 and 3 s, 2 s of work and 8 clips each: 24 clips in 12 s, half of it waiting."""
    meter = ThroughputMeter()
    seen = []
    for batch in meter.waiting_for(slow_batches(clock, [1, 2, 3])):
        seen.append(batch)
        clock.seconds += 2
        meter.add_clips(8)
    assert seen == [0, 1, 2]
    assert meter.read() == pytest.approx({"clips_per_second": 2.0, "data_wait_share": 0.5})


def test_reset_starts_a_new_stretch(clock: Clock) -> None:
    meter = ThroughputMeter()
    shares = []
    for _ in meter.waiting_for(slow_batches(clock, [9, 1])):
        clock.seconds += 1
        meter.add_clips(4)
        shares.append(meter.read())
        meter.reset()
    assert shares[0] == pytest.approx({"clips_per_second": 0.4, "data_wait_share": 0.9})
    assert shares[1] == pytest.approx({"clips_per_second": 2.0, "data_wait_share": 0.5})


def test_reading_at_once_divides_by_no_zero(clock: Clock) -> None:
    assert ThroughputMeter().read() == {"clips_per_second": 0.0, "data_wait_share": 0.0}


def test_batches_are_requested_only_when_needed(clock: Clock) -> None:
    asked = []

    def batches() -> Iterator[int]:
        for index in range(3):
            asked.append(index)
            yield index

    waiting = ThroughputMeter().waiting_for(batches())
    assert asked == []
    next(waiting)
    assert asked == [0]
