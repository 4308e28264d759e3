"""Lines, tables and JSON of the files that list videos, and a check that paths stay below the root."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sce_video.engine.remote import Location
from sce_video.errors import ManifestError, reason_of
from sce_video.special_files import refuse_special_file
from sce_video.urls import is_url, masked

_BLANKS = " \t\r\f\v"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_text(file: Location) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte-order mark, as Windows programs write it.

    Bytes that are not UTF-8 are kept as by `os.fsdecode`.

    Raises:
        ManifestError: unreadable file, or one with zero bytes.
    """
    try:
        if isinstance(file, Path):
            refuse_special_file(file)
        content = file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise ManifestError(f"{file} cannot be read ({reason_of(error)})") from error
    try:
        is_utf_16 = content.startswith(_UTF_16_MARKS)
        text = content.decode("utf-16") if is_utf_16 else content.decode("utf-8-sig", "surrogateescape")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file} cannot be read (it begins like UTF-16, but is not); save it as UTF-8") from error
    if "\0" in text:
        raise ManifestError(f"{file} cannot be read (it holds zero bytes; a text file in UTF-8 was expected)")
    return text


def read_lines(file: Location) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and the lines that are not empty, without blanks around them; raises as `read_text`."""
    return stripped_lines(read_text(file))


def stripped_lines(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and the lines that are not empty, without blanks around them."""
    for number, line in enumerate(text.split("\n" if "\n" in text else "\r"), start=1):
        line = line.strip(_BLANKS)
        if line:
            yield number, line


def read_rows(file: Location) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and rows of a CSV file.

    Raises:
        ManifestError: the file is unreadable or not CSV.
    """
    reader = csv.reader(io.StringIO(read_text(file), newline=""))
    try:
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as error:
        raise ManifestError(f"{file}, line {reader.line_num}: {error}") from error


def read_json_file(file: Path, kind: type) -> Any:
    """The content of a JSON file, a `kind`; raises ManifestError if it is unreadable or anything else."""
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:  # ValueError: also a number of 4,300 digits
        raise ManifestError(f"{file} is not JSON ({error})") from error
    if not isinstance(content, kind):
        raise ManifestError(f"{file} holds a {type(content).__name__}; a {kind.__name__} was expected")
    return content


def path_below(root: Location, path: str, *, file: Location, line: int) -> str:
    """`path`, unchanged, if it stays below `root`; links are not resolved.

    Without a root (`Path("")`) an absolute path or a URL may be anywhere.

    Raises:
        ManifestError: it leaves the root.
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
        shown = masked(path[:300])
        raise ManifestError(f"{file}, line {line}: {shown!r} leaves DATA.ROOT {str(root)!r}; give a root above it")
    return path
