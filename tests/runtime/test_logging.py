"""`run.log`, `metrics.jsonl` and TensorBoard, over interruptions."""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sce_video.errors import UserError
from sce_video.runtime.logging import (
    LOGGER,
    MetricsLog,
    log_to,
    log_to_terminal,
    logged_metrics,
    read_metrics,
    set_up_logging,
)


def json_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def write_steps(folder: Path, steps: range, *, loss: float) -> None:
    with MetricsLog(folder, start_step=steps.start) as log:
        for step in steps:
            log.write(step, {"loss": loss + step, "lr": 0.5})


def test_one_json_line_per_step(tmp_path: Path) -> None:
    write_steps(tmp_path, range(2), loss=4.0)
    assert json_lines(tmp_path) == [{"step": 0, "loss": 4.0, "lr": 0.5}, {"step": 1, "loss": 5.0, "lr": 0.5}]


def test_lines_can_be_read_during_the_run(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, start_step=0) as log:
        log.write(0, {"loss": 1.0})
        assert json_lines(tmp_path) == [{"step": 0, "loss": 1.0}]


def test_a_resumed_run_writes_its_steps_once(tmp_path: Path) -> None:
    """Interrupted after step 4, resumed from a checkpoint of step 3: steps 3 and 4 are repeated."""
    write_steps(tmp_path, range(5), loss=0.0)
    write_steps(tmp_path, range(3, 6), loss=100.0)
    assert [(line["step"], line["loss"]) for line in json_lines(tmp_path)] == [
        (0, 0.0),
        (1, 1.0),
        (2, 2.0),
        (3, 103.0),
        (4, 104.0),
        (5, 105.0),
    ]


@pytest.mark.parametrize("torn", ['{"step": 2, "lo', '{"step": 2, "loss": 1.0', '{"loss": 1.0}\n', "\x00\x00\x00"])
def test_a_torn_last_line_is_dropped(tmp_path: Path, torn: str) -> None:
    write_steps(tmp_path, range(2), loss=0.0)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    write_steps(tmp_path, range(7, 8), loss=0.0)
    assert [line["step"] for line in json_lines(tmp_path)] == [0, 1, 7]


def test_damaged_lines_are_left_out_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_steps(tmp_path, range(2), loss=0.0)
    damaged = [
        b"\xff\xfe not text",
        b'{"step": "2", "loss": 1.0}',
        b'{"step": true, "loss": 1.0}',
        b'{"step": 2.5, "loss": 1.0}',
        b'{"step": -1, "loss": 1.0}',
        b'{"step": 1' + b"0" * 400 + b"}",
        b'{"step": 2, "loss": NaN}',
        b'{"step": 2, "loss": 1e308}',
        b'{"step": 2, "loss": "low"}',
        b"[" * 100_000,
        b"7",
    ]
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b"\n".join(damaged) + b'\n{"step": 9, "loss": 1.0}\n{"st')
    assert [line["step"] for line in logged_metrics(tmp_path / "metrics.jsonl")] == [0, 1, 9]
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{tmp_path / 'metrics.jsonl'}: 11 lines are damaged and left out, the first is line 3"
    )


def test_lines_that_are_not_finite_are_kept_on_request(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    lines = [
        '{"step": 0, "loss": -Infinity}',
        '{"step": 1, "loss": NaN}',
        '{"step": 2, "loss": 1e200}',
        '{"loss": NaN}',
    ]
    file.write_text("\n".join(lines))
    assert [line["step"] for line in logged_metrics(file, keeps_non_finite=True)] == [0, 1]
    assert logged_metrics(file) == []


def test_a_run_that_does_not_start_has_no_log(tmp_path: Path, restored_logger: logging.Logger) -> None:
    """A run that starts has the lines from before."""
    log_to_terminal()
    restored_logger.info("looking at %d videos", 12)
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):
        log_to(tmp_path)
    restored_logger.info("begun")
    lines = (tmp_path / "run.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["INFO looking at 12 videos", "INFO begun"]


def test_a_pipe_is_refused_as_a_log(tmp_path: Path, restored_logger: logging.Logger) -> None:
    os.mkfifo(tmp_path / "run.log")
    with pytest.raises(OSError, match="it is a FIFO, not a file"):
        set_up_logging(tmp_path)


def test_a_run_from_the_start_forgets_the_old_lines(tmp_path: Path) -> None:
    write_steps(tmp_path, range(5), loss=0.0)
    write_steps(tmp_path, range(1), loss=7.0)
    assert json_lines(tmp_path) == [{"step": 0, "loss": 7.0, "lr": 0.5}]


def test_tensorboard_shows_each_step_once(tmp_path: Path) -> None:
    write_steps(tmp_path, range(5), loss=0.0)
    time.sleep(1.1)  # event files of one second and one process are read by their numbers as text: 10 before 9
    write_steps(tmp_path, range(3, 6), loss=100.0)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert sorted(events.Tags()["scalars"]) == ["loss", "lr"]
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (0, 0.0),
        (1, 1.0),
        (2, 2.0),
        (3, 103.0),
        (4, 104.0),
        (5, 105.0),
    ]


@pytest.mark.usefixtures("second_process")
def test_other_processes_write_no_metrics(tmp_path: Path) -> None:
    write_steps(tmp_path, range(2), loss=0.0)
    assert list(tmp_path.iterdir()) == []


def test_run_log_and_terminal_get_the_same_messages(
    tmp_path: Path, restored_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(tmp_path / "runs" / "new")
    restored_logger.info("loaded %d videos", 12)
    restored_logger.warning("Größe")
    restored_logger.debug("not shown")
    lines = (tmp_path / "runs" / "new" / "run.log").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["INFO loaded 12 videos", "WARNING Größe"]
    shown = capsys.readouterr()
    assert shown.err == "loaded 12 videos\nGröße\n"
    assert shown.out == ""


def test_a_second_start_appends_and_logs_once(tmp_path: Path, restored_logger: logging.Logger) -> None:
    set_up_logging(tmp_path / "first")
    restored_logger.info("one")
    for _ in range(2):
        set_up_logging(tmp_path / "second")
    restored_logger.info("two")
    set_up_logging(tmp_path / "first")
    restored_logger.info("three")
    messages = {
        name: [line.split()[-1] for line in (tmp_path / name / "run.log").read_text().splitlines()]
        for name in ("first", "second")
    }
    assert messages == {"first": ["one", "three"], "second": ["two"]}


@pytest.mark.usefixtures("second_process")
def test_other_ranks_show_only_errors_with_their_rank(
    tmp_path: Path, restored_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(tmp_path)
    restored_logger.warning("of rank 1")
    restored_logger.error("it broke")
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "[rank 1] it broke\n")


def test_file_names_cannot_fake_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(tmp_path)
    name = "a\x1b[2J\u202egpj\n2026-01-01 00:00:00,000 INFO all is well\r\x9b.mp4"
    LOGGER.warning("%s: no such video, https://me:hun@ter2@host/a?sig=hunter2", name)
    LOGGER.info("metric  %%\nknn\t50.00 Straße 日本 %s", b"\xe9".decode("utf-8", "surrogateescape"))
    written, said = (tmp_path / "run.log").read_text(encoding="utf-8"), capsys.readouterr().err
    expected = r"a\x1b[2J\u202egpj" + "\n{}2026-01-01 00:00:00,000 INFO all is well" + r"\r\x9b.mp4: no such video, "
    expected += "https://***@host/a?***\n"
    table = "metric  %\n{}knn\t50.00 Straße 日本 \\xe9\n"
    assert said == (expected + table).format("", "")
    assert [line[24:] for line in written.splitlines()[::2]] == ["WARNING " + expected.split("\n")[0], "INFO metric  %"]
    assert written.splitlines()[1] == "  " + expected.format("").split("\n")[1]
    assert "ter2" not in written


def test_a_run_that_has_logged_nothing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with pytest.raises(UserError, match=r"metrics\.jsonl does not exist; has the run logged anything yet"):
        read_metrics(path)
    for text in ("", "\n", "{"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"metrics\.jsonl holds no metrics"):
            read_metrics(path)
    path.write_text('{"step": 3, "loss": 0.5}\n{"step": 4, "lo')
    assert read_metrics(path) == [{"step": 3, "loss": 0.5}]
