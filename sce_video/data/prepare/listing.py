"""Which files below a folder are videos, which are left out and why, and what their outputs are called."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sce_video.data.sources.tree import VIDEO_SUFFIXES

WORK_FOLDER = ".prepare"
_TAKEN = {WORK_FOLDER, "classes.txt", "manifest.tsv", "report.json", "report.txt"}


@dataclass(frozen=True)
class Found:
    """A file to be prepared: path relative to the source folder, and what tells whether it has changed since."""

    source: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Skipped:
    """A file, or a linked folder, that is left out."""

    source: str
    reason: str


def list_videos(source_dir: Path, output_dir: Path, *, follow_outside: bool) -> tuple[list[Found], list[Skipped]]:
    """Every file with a video's suffix below `source_dir`, at any depth, in the order of their names.

    Links are followed as long as they lead to something inside `source_dir` (with `follow_outside`: anywhere but into
    `output_dir`); a folder is entered once, by a way without links if there is one. Names that begin with a dot are
    passed by.
    """
    scan = _Scan(source_dir.resolve(), output_dir.resolve(), follow_outside)
    scan.run()
    return sorted(scan.found, key=lambda video: video.source), sorted(scan.skipped, key=lambda left: left.source)


class _Scan:
    def __init__(self, source_dir: Path, output_dir: Path, follow_outside: bool) -> None:
        self._source_dir = source_dir
        self._output_dir = output_dir
        self._follow_outside = follow_outside
        self.found: list[Found] = []
        self.skipped: list[Skipped] = []

    def run(self) -> None:
        folders, linked = [self._source_dir], list[Path]()
        entered = set()  # real paths; links come last, so that the plain way to a folder wins
        while folders or linked:
            folder = folders.pop() if folders else linked.pop(0)
            real = folder.resolve()
            if real in entered:
                continue
            entered.add(real)
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    path = folder / entry.name
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(path)
                    elif not (entry.is_symlink() and path.is_dir()):
                        self._add_file(path, is_link=entry.is_symlink())
                    elif self._may_follow(path):
                        linked.append(path)

    def _add_file(self, path: Path, *, is_link: bool) -> None:
        if not path.name.lower().endswith(VIDEO_SUFFIXES):
            return
        source = path.relative_to(self._source_dir).as_posix()
        if not _fits_a_line(source):
            self._skip(path, "its name cannot be written in a manifest (tab, line break or not UTF-8)")
        elif not is_link or self._may_follow(path):
            try:
                status = path.stat()
            except OSError as error:
                self._skip(path, f"cannot be read ({error.strerror})")
                return
            if stat.S_ISREG(status.st_mode):
                self.found.append(Found(source, status.st_size, status.st_mtime_ns))
            else:
                self._skip(path, "is not a regular file")

    def _may_follow(self, link: Path) -> bool:
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13
            self._skip(link, "is a link that leads nowhere")
            return False
        if target.is_relative_to(self._output_dir):
            self._skip(link, "is a link into the output folder")
            return False
        if not self._follow_outside and not target.is_relative_to(self._source_dir):
            self._skip(link, "is a link out of the source folder (--follow-outside reads such)")
            return False
        return True

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Skipped(path.relative_to(self._source_dir).as_posix(), reason))


def _fits_a_line(text: str) -> bool:
    if "\t" in text or len(text.splitlines()) != 1:
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # bytes that are no text in this locale
        return False
    return True


def name_outputs(sources: Iterable[str], *, suffix: str, earlier: Mapping[str, str]) -> dict[str, str]:
    """Source -> output, both relative paths: the source's suffix is replaced, and no two outputs are the same.

    Of `a.avi` and `a.mkv` the first becomes `a.mp4`, the second `a.mkv.mp4`. A source that already ends in `suffix`
    comes first and keeps its name.

    Args:
        suffix: ".mp4", or "" where outputs are folders.
        earlier: names given in an earlier run; they stay where that is possible.
    """
    in_order = sorted(sources, key=lambda source: (PurePosixPath(source).suffix != suffix, source))
    taken = set(_TAKEN)
    for source in in_order:  # a folder is a name too
        taken.update(map(str, PurePosixPath(source).parents))
    outputs: dict[str, str] = {}
    for source in in_order:
        if source in earlier and earlier[source] not in taken:
            outputs[source] = earlier[source]
            taken.add(outputs[source])
    for source in in_order:
        if source not in outputs:
            outputs[source] = next(name for name in _candidates(source, suffix) if name not in taken)
            taken.add(outputs[source])
    return outputs


def _candidates(source: str, suffix: str) -> Iterator[str]:
    path = PurePosixPath(source)
    yield str(path.with_suffix(suffix))
    yield f"{source}{suffix}"
    number = 2
    while True:
        yield f"{source}.{number}{suffix}"
        number += 1
