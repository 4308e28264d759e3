"""Recursive listing of the videos below a folder, and of what was skipped and why."""

import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from sce_video.data.sources.tree import VIDEO_SUFFIXES


@dataclass(frozen=True)
class Found:
    """A video file: path relative to the source folder; size and mtime, to detect later changes."""

    source: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Skipped:
    """A file or a linked folder that was skipped."""

    source: str
    reason: str


def list_videos(source_dir: Path, output_dir: Path, *, follow_outside: bool) -> tuple[list[Found], list[Skipped]]:
    """All files with a video suffix below `source_dir`, at any depth, sorted by path.

    Links are followed if their target is inside `source_dir` (with `follow_outside`: anywhere but in `output_dir`); a
    folder is entered once, by a path without links if there is one. Names that start with a dot are ignored.
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
        entered = set()  # real paths; links come last, so that a path without links wins
        while folders or linked:
            folder = folders.pop() if folders else linked.pop(0)
            real = folder.resolve()
            if real in entered:
                continue
            entered.add(real)
            for entry in self._entries(folder):
                path = folder / entry.name
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif not (entry.is_symlink() and path.is_dir()):
                    self._add_file(path, is_link=entry.is_symlink())
                elif self._may_follow(path):
                    linked.append(path)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if folder == self._source_dir:
                raise
            self._skip(folder, f"is an unreadable folder ({error.strerror})")
            return []

    def _add_file(self, path: Path, *, is_link: bool) -> None:
        if not path.name.lower().endswith(VIDEO_SUFFIXES):
            return
        source = path.relative_to(self._source_dir).as_posix()
        if not fits_a_line(source):
            self._skip(path, "its name cannot be written in a manifest (control character, line break or not UTF-8)")
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
            self._skip(link, "is a broken link")
            return False
        if target.is_relative_to(self._output_dir):
            self._skip(link, "is a link into the output folder")
            return False
        if not self._follow_outside and not target.is_relative_to(self._source_dir):
            self._skip(link, "is a link out of the source folder (--follow-outside follows it)")
            return False
        return True

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Skipped(path.relative_to(self._source_dir).as_posix(), reason))


def fits_a_line(text: str) -> bool:
    """Whether a text has neither control characters nor line breaks, and is valid UTF-8."""
    return not any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text)
