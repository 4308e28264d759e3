"""Throughput meter."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Batch = TypeVar("Batch")


class ThroughputMeter:
    """Clips per second and the share of time spent waiting for data, since the last `reset`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._started = time.perf_counter()
        self._waited_seconds = 0.0
        self._num_clips = 0

    def waiting_for(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Pass `batches` on and add the time that each takes to arrive to the waiting time."""
        iterator = iter(batches)
        while True:
            started = time.perf_counter()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self._waited_seconds += time.perf_counter() - started
            yield batch

    def add_clips(self, num_clips: int) -> None:
        self._num_clips += num_clips

    def read(self) -> dict[str, float]:
        """{"clips_per_second", "data_wait_share" in [0, 1]}"""
        seconds = max(time.perf_counter() - self._started, 1e-9)
        return {
            "clips_per_second": self._num_clips / seconds,
            "data_wait_share": self._waited_seconds / seconds,
        }
