"""Records come back, whatever a kill has left of the last one, and are believed only while they hold."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sce_video.data.prepare.journal import (
    BROKEN,
    DONE,
    Journal,
    Planned,
    Record,
    believed_records,
    read_journals,
)
from sce_video.data.prepare.settings import Action, Check, Frames, Transcode

VIDEO = Planned("x/a.avi", 100, 12345, "x/a.mp4")


def write(path: Path, *records: Record) -> None:
    with Journal(path) as journal:
        for record in records:
            journal.write(record)


@given(cut=st.integers(0, 400), name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8))
def test_a_torn_line_costs_itself_alone(tmp_path_factory, cut: int, name: str) -> None:
    path = tmp_path_factory.mktemp("journal") / "shard-0000.jsonl"
    whole, torn, later = (Record.of(Planned(f"{name}{i}", i, i, "o"), BROKEN, reason=name) for i in range(3))
    write(path, whole, torn)
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    path.write_bytes(content[: min(last + cut, len(content) - 2)])  # short of its closing brace
    write(path, later)
    assert list(read_journals([path])) == [whole, later]


def test_lines_that_are_no_records_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'\xff\xfe\n[1]\n{"source": "a"}\n3\n\n')
    assert list(read_journals([path])) == []


def believed(record: Record, output_dir: Path, action: Action, video: Planned = VIDEO) -> bool:
    return believed_records([record], [video], output_dir, action) == {video.source: record}


def test_an_output_is_believed_while_it_has_its_size(tmp_path: Path) -> None:
    record = Record.of(VIDEO, DONE, bytes=7)
    output = tmp_path / "x" / "a.mp4"
    assert not believed(record, tmp_path, Transcode())
    assert believed(record, tmp_path, Check())
    output.parent.mkdir()
    output.write_bytes(b"1234567")
    assert believed(record, tmp_path, Transcode())
    output.write_bytes(b"123456")
    assert not believed(record, tmp_path, Transcode())


def test_a_folder_of_frames_is_believed_while_it_is_complete(tmp_path: Path) -> None:
    record = Record.of(VIDEO, DONE, num_frames=2)
    (tmp_path / "x" / "a.mp4").mkdir(parents=True)
    for name in ("000000.jpg", "000001.jpg"):
        (tmp_path / "x" / "a.mp4" / name).touch()
    assert not believed(record, tmp_path, Frames())
    (tmp_path / "x" / "a.mp4" / "frames.json").touch()
    assert believed(record, tmp_path, Frames())


def test_a_changed_source_or_name_is_not_believed(tmp_path: Path) -> None:
    record = Record.of(VIDEO, BROKEN)
    assert believed(record, tmp_path, Transcode())
    for other in (Planned("x/b.avi", *VIDEO_TAIL), Planned("x/a.avi", 101, 12345, "x/a.mp4")):
        assert not believed(record, tmp_path, Transcode(), other)
    assert not believed(record, tmp_path, Transcode(), Planned("x/a.avi", 100, 12346, "x/a.mp4"))
    assert not believed(record, tmp_path, Transcode(), Planned("x/a.avi", 100, 12345, "x/a.avi.mp4"))


VIDEO_TAIL = (100, 12345, "x/a.mp4")


def test_of_several_records_one_that_is_done_wins_then_the_latest(tmp_path: Path) -> None:
    done = Record.of(VIDEO, DONE)
    first, second = Record.of(VIDEO, BROKEN, reason="1"), Record.of(VIDEO, BROKEN, reason="2")
    for records, winner in [([first, done], done), ([done, second], done), ([first, second], second)]:
        assert believed_records(records, [VIDEO], tmp_path, Check()) == {VIDEO.source: winner}
