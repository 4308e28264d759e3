"""What was done to which video: one JSON line each, appended as it ends, believed only if it still holds."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sce_video.data.prepare.settings import Action, Check, Frames

DONE, BROKEN, SHORT = "done", "broken", "short"


@dataclass(frozen=True)
class Planned:
    """A video to be prepared; paths are relative to the source folder and the output folder."""

    source: str
    size: int
    mtime_ns: int
    output: str


@dataclass(frozen=True)
class Record:
    """What came of one video; from `duration_seconds` on the facts of its output, where there is one."""

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

    @classmethod
    def of(cls, video: Planned, status: str, **facts: Any) -> "Record":
        return cls(video.source, video.size, video.mtime_ns, video.output, status, **facts)


class Journal:
    """Appends to one file; closed on leaving the `with`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        if self._file.tell() > 0:
            self._file.seek(-1, 2)
            if self._file.read() != b"\n":  # a kill tore the last line
                self._file.write(b"\n")

    def write(self, record: Record) -> None:
        self._file.write(json.dumps(dataclasses.asdict(record)).encode() + b"\n")
        self._file.flush()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_journals(files: Iterable[Path]) -> Iterator[Record]:
    """All records, oldest first within a file; lines that a kill or a crash tore are left out."""
    names = {field.name for field in dataclasses.fields(Record)}
    for file in files:
        for line in file.read_bytes().splitlines():
            try:
                values = json.loads(line)
            except ValueError:  # torn; not JSON, or not even text
                continue
            if isinstance(values, dict) and values.keys() == names:
                yield Record(**values)


def believed_records(
    records: Iterable[Record], videos: Iterable[Planned], output_dir: Path, action: Action
) -> dict[str, Record]:
    """Source -> record, of the videos that need no more work.

    A record counts if the source has the size and time that it had then, the output still has its name, and what was
    written is there with the recorded size. Of several that count, one that is done wins, then the latest.
    """
    planned = {video.source: video for video in videos}
    believed: dict[str, Record] = {}
    for record in records:
        video = planned.get(record.source)
        if video != Planned(record.source, record.size, record.mtime_ns, record.output):
            continue
        if record.source in believed and believed[record.source].status == DONE and record.status != DONE:
            continue
        believed[record.source] = record
    return {source: record for source, record in believed.items() if _still_there(record, output_dir, action)}


def _still_there(record: Record, output_dir: Path, action: Action) -> bool:
    if record.status != DONE or isinstance(action, Check):
        return True
    output = output_dir / record.output
    try:
        if isinstance(action, Frames):  # a folder gets its name when it is whole: counting is enough
            return len(list(output.iterdir())) == record.num_frames + 1
        return output.stat().st_size == record.bytes
    except OSError:
        return False
