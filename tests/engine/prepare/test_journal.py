"""Records are read back after a kill at any byte, and are valid only while source and output are unchanged."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.engine.prepare.actions import Action, Check, Frames, Transcode
from sce_video.engine.prepare.journal import (
    BROKEN,
    DONE,
    LEFT,
    Journal,
    Planned,
    Record,
    read_journals,
    valid_records,
)

VIDEO = Planned("x/a.avi", 100, 12345, "x/a.mp4")


def write(path: Path, *records: Record) -> None:
    with Journal(path) as journal:
        for record in records:
            journal.write(record)


@given(
    cut=st.integers(0, 400),
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8),
)
def test_a_torn_line_loses_only_itself(tmp_path_factory, cut: int, name: str) -> None:
    path = tmp_path_factory.mktemp("journal") / "shard-0000.jsonl"
    whole, torn, later = (Record.of(Planned(f"{name}{i}", i, i, "o"), BROKEN, reason=name) for i in range(3))
    write(path, whole, torn)
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    path.write_bytes(content[: min(last + cut, len(content) - 2)])  # short of its closing brace
    write(path, later)
    assert list(read_journals([path])) == [whole, later]


def test_invalid_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'\xff\xfe\n[1]\n{"source": "a"}\n3\n\n')
    assert list(read_journals([path])) == []


def valid(record: Record, output_dir: Path, action: Action, video: Planned = VIDEO) -> bool:
    return valid_records([record], [video], output_dir, action) == {video.source: record}


def test_a_record_is_valid_while_its_output_has_the_recorded_size(tmp_path: Path) -> None:
    record = Record.of(VIDEO, DONE, bytes=7)
    output = tmp_path / "x" / "a.mp4"
    assert not valid(record, tmp_path, Transcode())
    assert valid(record, tmp_path, Check())
    output.parent.mkdir()
    output.write_bytes(b"1234567")
    assert valid(record, tmp_path, Transcode())
    output.write_bytes(b"123456")
    assert not valid(record, tmp_path, Transcode())


def test_a_record_of_frames_is_valid_while_the_folder_is_complete(tmp_path: Path) -> None:
    record = Record.of(VIDEO, DONE, num_frames=2)
    (tmp_path / "x" / "a.mp4").mkdir(parents=True)
    for name in ("000000.jpg", "000001.jpg"):
        (tmp_path / "x" / "a.mp4" / name).touch()
    assert not valid(record, tmp_path, Frames())
    (tmp_path / "x" / "a.mp4" / "frames.json").touch()
    assert valid(record, tmp_path, Frames())


def test_a_changed_source_or_name_invalidates_a_record(tmp_path: Path) -> None:
    record = Record.of(VIDEO, BROKEN)
    assert valid(record, tmp_path, Transcode())
    for other in (Planned("x/b.avi", *VIDEO_TAIL), Planned("x/a.avi", 101, 12345, "x/a.mp4")):
        assert not valid(record, tmp_path, Transcode(), other)
    assert not valid(record, tmp_path, Transcode(), Planned("x/a.avi", 100, 12346, "x/a.mp4"))
    assert not valid(record, tmp_path, Transcode(), Planned("x/a.avi", 100, 12345, "x/a.avi.mp4"))


VIDEO_TAIL = (100, 12345, "x/a.mp4")


def test_of_several_records_one_that_is_done_wins_then_the_latest(tmp_path: Path) -> None:
    done = Record.of(VIDEO, DONE)
    first, second = Record.of(VIDEO, BROKEN, reason="1"), Record.of(VIDEO, BROKEN, reason="2")
    for records, winner in [([first, done], done), ([done, second], done), ([first, second], second)]:
        assert valid_records(records, [VIDEO], tmp_path, Check()) == {VIDEO.source: winner}


GOOD = '{"source": "a.avi", "size": 1, "mtime_ns": 2, "output": "a.mp4", "status": "done"}'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD.replace('"a.avi"', "5"), "source is 5"),
        (GOOD.replace(": 1,", ": true,"), "size is True"),
        (GOOD.replace(": 1,", ": 1.5,"), "size is 1.5"),
        (GOOD.replace('"size": 1, ', ""), "lacks 'size'"),
        (GOOD.replace('"size"', '"Size"'), "lacks 'size'"),
        (GOOD.replace("}", ', "crf": 3}'), "unknown 'crf'"),
        (GOOD.replace("}", ', "fps": Infinity}'), "fps is inf"),
        (GOOD.replace("a.mp4", "../../home/a.mp4"), "output is '../../home/a.mp4', which is not a path inside"),
        (GOOD.replace("a.mp4", "/home/a.mp4"), "output is '/home/a.mp4', which is not a path inside"),
        (GOOD.replace("a.mp4", "\\ud800"), "output is '\\ud800'"),
        (GOOD.replace('"done"', '"eaten"'), "status is 'eaten'"),
        (GOOD[:-9], "line 1 column"),
        ("[" * 100_000, "too deeply nested"),
        ("3", "is int, not an object"),
        ("\udcff\udcfe", "decode"),
        ("9" * 10_000, "integer"),
        (GOOD[:-1] + " " * 200_000 + "}", "line 1 column"),
    ],
)
def test_invalid_lines_are_reported_and_the_others_read(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "shard-0000.jsonl"
    path.write_text(f"{GOOD}\n{line}\n{GOOD}\n", errors="surrogateescape")
    invalid_lines: list[str] = []
    assert list(read_journals([path], invalid_lines=invalid_lines)) == [Record("a.avi", 1, 2, "a.mp4", "done")] * 2
    (reported,) = invalid_lines
    assert reported.startswith(f"{path} line 2: ")
    assert words in reported
    assert reported.isprintable()
    assert len(reported) < len(str(path)) + 250


def test_a_done_record_without_its_output_hides_no_other(tmp_path: Path) -> None:
    left = Record.of(VIDEO, LEFT, reason="too little memory")
    records = [Record.of(VIDEO, DONE, bytes=7), left]  # recorded, but the output could not be published
    assert valid_records(records, [VIDEO], tmp_path, Transcode()) == {VIDEO.source: left}
