import logging

import pytest

from sce_video.runtime.logging import TEXT_FILE_ONLY
from sce_video.train.probes.watch import Watch
from tests.train.probes.test_verdict import CHANCE, lines


def watched(losses: list[float], caplog: pytest.LogCaptureFixture, *, kept: int = 0) -> list[tuple[int, str, bool]]:
    """(level, beginning of the line, whether it is on the terminal) of all log lines; 50 steps make an epoch."""
    caplog.set_level("INFO", "sce_video")
    caplog.clear()
    logged = [{**line, "epoch": (line["step"]) // 50} for line in lines(losses)]
    watch = Watch(logged[:kept], num_steps=10 * len(losses))
    for line in logged[kept:]:
        watch.add(int(line["step"]), {name: value for name, value in line.items() if name != "step"})
    return [
        (record.levelno, record.getMessage()[:40], not TEXT_FILE_ONLY.items() <= vars(record).items())
        for record in caplog.records
    ]


def test_a_line_when_the_verdict_changes_each_epoch_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    said = watched([5.6, 5.5, 5.3, 5.0, 4.6, 4.2, 4.0, 3.8, 3.6, 3.5, 3.4, 3.4], caplog)
    assert said == [
        (logging.INFO, "step 9, is it learning? too early to say", True),
        (logging.INFO, "step 39, is it learning? learning its ow", True),
        (logging.INFO, "step 59, is it learning? learning its ow", False),
        (logging.INFO, "step 109, is it learning? learning its o", False),
        (logging.INFO, "step 119, is it learning? learning its o", True),
    ]


def test_an_alarm_is_a_warning_and_on_the_bar(caplog: pytest.LogCaptureFixture) -> None:
    said = watched([8.0] * 12, caplog)
    assert [level for level, _, _ in said] == [logging.INFO] + 4 * [logging.WARNING]
    watch = Watch(lines([8.0] * 11), num_steps=120)
    assert watch.alarm == ""
    watch.add(119, {"loss": 8.0, "epoch": 2})
    assert watch.alarm == "above chance"


def test_a_resumed_run_is_judged_with_its_lines_before(caplog: pytest.LogCaptureFixture) -> None:
    assert watched([8.0] * 12, caplog)[-1] == watched([8.0] * 12, caplog, kept=11)[-1]


def test_a_loss_that_is_not_finite_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(lines([5.0]), num_steps=1000)
    watch.add(12, {"loss": float("nan")})
    assert "diverged" in caplog.records[-1].getMessage()
    assert watch.alarm == "diverged"
    assert pytest.approx(5.549, abs=1e-3) == CHANCE
