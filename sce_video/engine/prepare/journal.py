"""Journal of finished videos: one JSON line per video, appended when it is done and validated before it is reused."""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from sce_video.engine.prepare.actions import Action, Check
from sce_video.engine.prepare.state_files import checked, parse_json
from sce_video.engine.prepare.target import Written, is_as_written

# LEFT: left out for a reason other than the video, such as memory; the next run retries it.
DONE, BROKEN, SHORT, LEFT = "done", "broken", "short", "left"
_STATUSES = (DONE, BROKEN, SHORT, LEFT)
_LONGEST_LINE_BYTES = 1 << 16


@dataclass(frozen=True)
class Planned:
    """A video to prepare; `source` and `output` are relative to the source folder and the output folder."""

    source: str
    size: int
    mtime_ns: int
    output: str


@dataclass(frozen=True)
class Record:
    """The outcome of one video; fields from `duration_seconds` describe its output, if it has one.

    Args:
        reason: why there is no output; for a video that is done, what is missing in it.
        num_lost: decoded frames that are not in the output.
    """

    source: str
    size: int
    mtime_ns: int
    output: str
    status: str
    reason: str = ""
    source_sha256: str = ""
    duration_seconds: float = 0.0
    fps: float = 0.0
    height: int = 0
    width: int = 0
    num_frames: int = 0
    bytes: int = 0
    sha256: str = ""
    num_lost: int = 0

    @classmethod
    def of(cls, video: Planned, status: str, **facts: Any) -> "Record":
        return cls(video.source, video.size, video.mtime_ns, video.output, status, **facts)

    @property
    def written(self) -> Written:
        return Written(self.bytes, self.sha256, self.num_frames)


class Journal:
    """Append-only file of records; a context manager."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        if self._file.tell() > 0:
            self._file.seek(-1, 2)
            if self._file.read() != b"\n":  # the last line is incomplete after a kill
                self._file.write(b"\n")

    def write(self, record: Record) -> None:
        """Append a record and sync it to disk: an output gets its name only after its record is safe."""
        self._file.write(json.dumps(dataclasses.asdict(record)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_journals(files: Iterable[Path], *, invalid_lines: list[str] | None = None) -> Iterator[Record]:
    """All records, oldest first within a file; invalid lines, such as those cut off by a kill, are skipped.

    Args:
        invalid_lines: receives "FILE line N: why" for each skipped line.
    """
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(_bounded_lines(lines), start=1):
                try:
                    yield _record(line)
                except ValueError as error:
                    if invalid_lines is not None:
                        invalid_lines.append(f"{file} line {number}: {_shortened(error)}")


def _bounded_lines(lines: Any) -> Iterator[bytes]:
    """Lines without line ends; one that is too long for a record is truncated."""
    while line := lines.readline(_LONGEST_LINE_BYTES):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = lines.readline(_LONGEST_LINE_BYTES)
        yield line.rstrip(b"\n")


def _record(line: bytes) -> Record:
    record = checked(Record, parse_json(line))
    if record.status not in _STATUSES:
        raise ValueError(f"status is {ascii(record.status)[:80]}")
    require_inside("source", record.source)
    require_inside("output", record.output)
    return record


def require_inside(name: str, path: str) -> None:
    """Raises ValueError unless `path` is relative and stays inside its folder."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"{name} is {ascii(path)[:80]}, which is not a path inside its folder")


def _shortened(error: ValueError) -> str:
    return " ".join(str(error).split())[:200]


def valid_records(
    records: Iterable[Record], videos: Iterable[Planned], output_dir: Path, action: Action
) -> dict[str, Record]:
    """Source -> its valid record, for the videos that have one.

    A record is valid if the source has the same size and mtime, the output is still planned under the same name, and
    its file is there with the recorded size. Of several valid records one that is done wins, then the latest.
    """
    planned = {video.source: video for video in videos}
    valid: dict[str, Record] = {}
    for record in records:
        video = planned.get(record.source)
        if video != Planned(record.source, record.size, record.mtime_ns, record.output):
            continue
        if record.source in valid and valid[record.source].status == DONE and record.status != DONE:
            continue
        if _output_exists(record, output_dir, action):
            valid[record.source] = record
    return valid


def _output_exists(record: Record, output_dir: Path, action: Action) -> bool:
    if record.status != DONE or isinstance(action, Check):
        return True
    return is_as_written(output_dir / record.output, record.written)
