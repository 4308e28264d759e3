from typing import Any

import pytest

from sce_video.train.probes.base import Probe, Probes, Seen
from tests.train.probes.tiny import random_views, take_steps, tiny_method


class Counter(Probe):
    """Counts steps; a state of another start is refused."""

    def __init__(self, start: int = 0) -> None:
        self.count = self.start = start

    def look(self, seen: Seen) -> None:
        self.count += 1

    def read(self) -> dict[str, float]:
        return {"count": self.count, "not_a_number": float("nan")}

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "start": self.start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["start"] != self.start:
            raise ValueError(f"it started at {state['start']}")
        self.count = state["count"]


def test_a_state_is_continued_and_another_one_started_again(caplog: pytest.LogCaptureFixture) -> None:
    first = Probes({"counter": Counter()})
    take_steps(tiny_method("sce"), first, [[random_views(4), random_views(4)]] * 3)
    assert first.read() == {"count": 3}  # a log has finite numbers
    second, third, fourth = (Probes({"counter": Counter(start)}) for start in (0, 7, 0))
    second.load_state_dict(first.state_dict())
    assert second.read() == {"count": 3}
    caplog.set_level("INFO", "sce_video")
    third.load_state_dict(first.state_dict())
    assert third.read() == {"count": 7}
    fourth.load_state_dict({})  # of a version without probes
    assert [record.getMessage() for record in caplog.records] == [
        "the probe counter starts again at this step (it started at 0)",
        "the probe counter starts again at this step (the checkpoint has no state of it)",
    ]


def test_a_probe_without_state_is_in_no_checkpoint() -> None:
    class Silent(Probe):
        def look(self, seen: Seen) -> None: ...

        def read(self) -> dict[str, float]:
            return {}

    probes = Probes({"silent": Silent()})
    assert probes.state_dict() == {}
    probes.load_state_dict({"silent": {}})
    assert Probes().read() == {}
