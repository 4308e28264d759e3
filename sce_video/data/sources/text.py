"""What the readers of lists share: lines, tables and JSON of a file, and paths that stay below the root."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sce_video.config.urls import is_url, masked
from sce_video.data.remote import Location
from sce_video.errors import ManifestError


def read_text(file: Location) -> str:
    """The text of a UTF-8 file; names in it that are not UTF-8 survive as `os.fsdecode` gives them.

    Raises:
        ManifestError: unreadable file, or one with zero bytes, which is no text in UTF-8.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ManifestError(f"{file} cannot be read ({error})") from error
    if b"\0" in content:
        raise ManifestError(f"{file} cannot be read (it holds zero bytes; a text file in UTF-8 was expected)")
    return content.decode("utf-8-sig", "surrogateescape")


def read_lines(file: Location) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and the lines that are not empty, without blanks around them; raises as `read_text`."""
    return stripped_lines(read_text(file))


def stripped_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if line:
            yield number, line


def read_rows(file: Location) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and rows of a CSV file.

    Raises:
        ManifestError: unreadable file, or no CSV.
    """
    reader = csv.reader(io.StringIO(read_text(file), newline=""))
    try:
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as error:
        raise ManifestError(f"{file}, line {reader.line_num}: {error}") from error


def read_json(file: Path, kind: type) -> Any:
    """Raises ManifestError for a file that is unreadable, no JSON or not a `kind`."""
    try:
        content = json.loads(read_text(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ManifestError(f"{file} is no JSON ({error})") from error
    if not isinstance(content, kind):
        raise ManifestError(f"{file} holds a {type(content).__name__}; a {kind.__name__} was expected")
    return content


def path_below(root: Location, path: str, *, file: Location, line: int) -> str:
    """`path` as it is, if it stays below `root`; links are not looked at.

    An absolute path, and a URL, may also lie anywhere when there is no root (`Path("")`).

    Raises:
        ManifestError: it leaves the root; names file and line.
    """
    if is_url(path) or (path.startswith("/") and not isinstance(root, Path)):
        leaves = root != Path()
    elif path.startswith("/"):
        assert isinstance(root, Path)
        top = os.path.join(os.path.abspath(root), "")
        leaves = bool(root.parts) and not os.path.join(os.path.normpath(path), "").startswith(top)
    else:
        leaves = ".." in path and os.path.normpath(path).split("/")[0] == ".."
    if leaves:
        shown = masked(path)
        raise ManifestError(f"{file}, line {line}: {shown!r} leaves DATA.ROOT {str(root)!r}; give a root above it")
    return path
