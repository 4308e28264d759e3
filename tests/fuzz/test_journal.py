"""Notes of `prepare_data`, mutated: records that are whole, or one line that names the file."""

import dataclasses
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from sce_video.engine.prepare.actions import PrepareError, Transcode
from sce_video.engine.prepare.journal import BROKEN, DONE, Journal, Planned, Record, read_journals, valid_records
from sce_video.engine.prepare.own_reports import require_own_reports
from sce_video.engine.prepare.worklist import make_worklist, read_worklist, write_worklist
from sce_video.engine.prepare.workspace import Workspace, begin, open_workspace, reopen_workspace

ODD_VALUES: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\ud800",
    "a\0b",
    "../../x",
    [],
    {},
]
ODD_VALUES += ["/etc/passwd", "x" * 5000, "\u202e", "a\nb", 0, 10**400]
ODD_BYTES = [b"\xff", b"\0", b"[" * 3000, b'{"a":' * 2000, b"\n", b"\r", b"}{", b"9" * 5000, b"\xe2\x80\xa8", b"NaN"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for name in ("a.mp4", "b.avi", "c/d.mkv"):
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_bytes(b"x")
    made = begin(open_workspace(tmp_path / "src", tmp_path / "dst", Transcode()))
    worklist = make_worklist(made, follow_outside=False)
    write_worklist(made, worklist)
    with Journal(made.journal_file(0)) as journal:
        for number, video in enumerate(worklist.videos):
            journal.write(Record.of(video, DONE if number else BROKEN, bytes=number, fps=25.0))
    return made


def changed(content: bytes, dice: random.Random) -> bytes:
    """Some bytes exchanged, cut or doubled, or a value of the JSON in it."""
    lines = content.split(b"\n")
    number = dice.randrange(len(lines))
    try:
        value = json.loads(lines[number])
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and value and dice.random() < 0.5:
        inner = value
        while isinstance(inner, dict | list) and inner:
            key = dice.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            if not isinstance(inner[key], dict | list) or not inner[key] or dice.random() < 0.3:
                break
            inner = inner[key]
        if dice.random() < 0.2:
            del inner[key]
        else:
            inner[key] = dice.choice(ODD_VALUES)
        lines[number] = json.dumps(value).encode()
        return b"\n".join(lines)
    begin, end = sorted(dice.choices(range(len(content) + 1), k=2))
    middle = dice.choice([b"", *ODD_BYTES, dice.randbytes(dice.randrange(9)), content[begin:end] * 2])
    return content[:begin] + middle + content[dice.choice([begin, end]) :]


def test_notes(workspace: Workspace, seeds) -> None:
    notes, good = workspace.state_dir, {}
    for name in ("shard-0000.jsonl", "settings.json", "plan.json"):
        good[name] = (notes / name).read_bytes()
    outside = sorted(path for path in workspace.output_dir.parent.rglob("*") if ".prepare" not in path.parts)
    for seed in seeds:
        dice = random.Random(seed)
        name = dice.choice(sorted(good))
        content = good[name]
        for _ in range(dice.choice([1, 1, 2, 5])):
            content = changed(content, dice)
        (notes / name).write_bytes(content)
        (notes / "reports.json").write_bytes(content)
        said = ""
        try:
            check_all(workspace)
        except PrepareError as error:
            said = str(error)
        assert not said or (said.isprintable() and str(workspace.output_dir) in said), (seed, said)
        (notes / name).write_bytes(good[name])
    assert sorted(path for path in workspace.output_dir.parent.rglob("*") if ".prepare" not in path.parts) == outside
    shutil.rmtree(notes)


def check_all(workspace: Workspace) -> None:
    """All that reads notes; records and plans that come out are what their types say, and stay in the folder."""
    require_own_reports(workspace)
    invalid_lines: list[str] = []
    records = list(read_journals([workspace.journal_file(0)], invalid_lines=invalid_lines))
    assert all("shard-0000.jsonl line " in line and line.isprintable() for line in invalid_lines)
    for record in records:
        check_types(record)
    for video in [*read_worklist(workspace).videos, *make_worklist(workspace, follow_outside=False).videos]:
        check_types(video)
    valid_records(
        records, make_worklist(workspace, follow_outside=False).videos, workspace.output_dir, workspace.action
    )
    reopened = reopen_workspace(workspace.output_dir)
    check_types(reopened.action)
    open_workspace(workspace.source_dir, workspace.output_dir, workspace.action)


def check_types(value: Any) -> None:
    for field in dataclasses.fields(value):
        assert isinstance(getattr(value, field.name), field.type if field.type is not float else int | float)
    if isinstance(value, Record | Planned):
        for path in (value.source, value.output):
            path.encode("utf-8")
            assert not path.startswith("/")
            assert ".." not in Path(path).parts
