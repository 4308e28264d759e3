"""Rows of path and label, from the lines of a list; ambiguous ones are refused."""

import csv
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from sce_video.data.manifest import quoted
from sce_video.data.sources.list_columns import GROUP, LABEL, NUM_FRAMES, PATH, Header, find_header
from sce_video.data.sources.list_lines import Line, label_number, parse_line, split_from_right, split_rest
from sce_video.data.sources.text import stripped_lines
from sce_video.data.sources.tree import VIDEO_SUFFIXES
from sce_video.engine.remote import Location
from sce_video.errors import ManifestError

# The first columns of a prepared manifest; the others (duration and so on) are not needed here.
_PREPARED_COLUMNS = ["path", "label"]
# No file system has longer paths; a signed URL has some hundreds.
_MOST_CHARACTERS = 10_000
_MOST_DIGITS = 10


@dataclass
class Rows:
    """Parallel lists of paths, labels as written (None: no label), line numbers, and groups if the list has any.

    `unsplit` are the rows of which `paths` has the whole line: what in it is the label depends on the other lines.
    """

    file: Location
    paths: list[str] = field(default_factory=list)
    labels: list[int | str | None] = field(default_factory=list)
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    groups: list[str] = field(default_factory=list)
    unsplit: list[int] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)

    def add(self, line: int, path: str, label: int | str | None) -> None:
        self.paths.append(path)
        self.labels.append(label)
        self.lines.append(line)

    def error(self, row: int, message: str) -> ManifestError:
        return ManifestError(f"{self.file}, line {self.lines[row]}: {message}")


def read_list_rows(file: Location, text: str, configured: tuple[str, ...]) -> tuple[Rows, bool]:
    """All rows; and whether their labels are guessed, declared by neither a header nor the `configured` columns."""
    rows = Rows(file)
    if text.partition("\n")[0].rstrip("\r").split("\t")[:2] == _PREPARED_COLUMNS:
        _read_prepared(rows, text)
        return rows, False
    lines = stripped_lines(text)
    first = next(((number, line) for number, line in lines if not _is_comment(rows, number, line)), None)
    header = None if first is None else find_header(first[1], file=file)
    if isinstance(header, Header):
        _read_table(rows, lines, header)
        return rows, False
    columns = configured or header or ()
    _read_plain(
        rows, lines if first is None or header else chain([first], lines), is_split=columns in ((), (PATH, LABEL))
    )
    if columns:
        _split_by_columns(rows, columns)
    else:
        _split_alike(rows)
    return rows, not columns


def _is_comment(rows: Rows, number: int, line: str) -> bool:
    if line[0] == "#":
        rows.comments.append(number)
    return line[0] == "#"


def _read_plain(rows: Rows, lines: Iterable[tuple[int, str]], *, is_split: bool) -> None:
    """Split plain lines such as `name.mp4 3`, five times as fast as `parse_line`; the others stay unsplit."""
    for number, line in lines:
        path, _, label = line.rpartition(" ")
        if not path[-5:].lower().endswith(VIDEO_SUFFIXES):
            path, _, label = line.rpartition(",")
        is_plain = path[-5:].lower().endswith(VIDEO_SUFFIXES) and label.isdecimal() and len(label) < _MOST_DIGITS
        if is_plain and is_split and line[0] not in '#"':
            rows.add(number, path, int(label))
        elif not _is_comment(rows, number, line):
            if len(line) > _MOST_CHARACTERS:
                raise ManifestError(f"{rows.file}, line {number} has {len(line)} characters; is this a list of videos?")
            rows.unsplit.append(len(rows.paths))
            rows.add(number, line, None)


def _read_table(rows: Rows, lines: Iterable[tuple[int, str]], header: Header) -> None:
    for number, line in lines:
        if _is_comment(rows, number, line):
            continue
        try:
            fields = next(csv.reader([line], delimiter=header.delimiter, skipinitialspace=True, strict=True))
        except csv.Error as error:
            raise ManifestError(f"{rows.file}, line {number}: {error}") from error
        if len(fields) != header.num_columns:
            raise ManifestError(
                f"{rows.file}, line {number}: {quoted(line)} has {len(fields)} columns, but the header has "
                f"{header.num_columns}; quote fields that contain a {header.delimiter!r}"
            )
        label = "" if header.label is None else fields[header.label].strip()
        rows.add(number, fields[header.path].strip(), _number_or_text(label))
        if header.group is not None:
            rows.groups.append(fields[header.group].strip())


def _read_prepared(rows: Rows, text: str) -> None:
    header, *lines = text.split("\n")
    names = header.rstrip("\r").split("\t")
    group = names.index(GROUP) if GROUP in names else None
    for number, row in enumerate(lines, start=2):
        if not row.strip():
            continue
        path, label, *_ = [*row.split("\t", 2), ""]
        if not path or "\t" not in row:
            raise ManifestError(f"{rows.file}, line {number}: {quoted(row)}; `path<tab>label` was expected")
        rows.add(number, path, _number_or_text(label.strip()))
        if group is not None:
            rows.groups.append("".join(row.split("\t")[group : group + 1]).strip())


def _split_by_columns(rows: Rows, columns: tuple[str, ...]) -> None:
    """Split the unsplit rows by known columns."""
    for row in rows.unsplit:
        line, path, fields = parse_line(rows.paths[row]), rows.paths[row], list[str]()
        if line.is_certain:
            path = line.path
            fields = line.numbers or (split_rest(line.text, len(columns) - 1) if line.text else [])
        elif len(columns) > 1:
            path, fields = split_from_right(rows.paths[row], len(columns) - 1)
        values = dict(zip(columns[1:], fields, strict=False))
        if len(fields) != len(columns) - 1 or label_number(values.get(NUM_FRAMES, "0")) is None:
            raise rows.error(
                row,
                f"after the path {quoted(path)} comes {quoted(' '.join(fields)) if fields else 'nothing'}, but the "
                f"columns are {','.join(columns)}",
            )
        rows.paths[row], rows.labels[row] = path, _number_or_text(values.get(LABEL, ""))
        if GROUP in columns:
            rows.groups.append(values[GROUP].strip('"'))


def _split_alike(rows: Rows) -> None:
    """Split the unsplit rows so that all lines have the same columns: none, one number or one name.

    Raises:
        ManifestError: two or more numbers, whose order would be a guess; lines that differ.
    """
    lines = [parse_line(rows.paths[row]) for row in rows.unsplit]
    for row, line in zip(rows.unsplit, lines, strict=True):
        if line.is_certain and len(line.numbers) > 1:
            raise rows.error(row, _several_numbers(line))
        if not line.is_one:
            raise rows.error(
                row,
                f"after the path {quoted(line.path)} comes {quoted(line.text)}; quote it if it is one class name, or "
                "name the columns in a header or in DATA.LIST_COLUMNS",
            )
    model = _model(rows, lines)
    for row, line in zip(rows.unsplit, lines, strict=True):
        path, numbers = line.path, line.numbers
        if not line.is_certain and model.numbers and numbers:
            path, numbers = split_from_right(rows.paths[row], 1)
        if (len(numbers), bool(line.text)) != (len(model.numbers), bool(model.text)):
            raise _differing(rows, row, line, model)
        if numbers and label_number(numbers[0]) is None:
            raise rows.error(
                row, f"{numbers[0][:30]} after the path {quoted(path)} is not a label; labels count from 0"
            )
        rows.paths[row], rows.labels[row] = path, _number_or_text(numbers[0] if numbers else line.text)


def _model(rows: Rows, lines: Sequence[Line]) -> Line:
    """The line that all must be like: a plain one, one whose path is certain, or the one with the fewest numbers."""
    if len(rows.unsplit) < len(rows.paths):
        return Line("", ["0"], "", True)
    model = next((line for line in lines if line.is_certain), None)
    if model is None:
        model = min(lines, key=lambda line: len(line.numbers), default=Line("", [], "", True))
        if len(model.numbers) > 1:
            raise rows.error(rows.unsplit[lines.index(model)], _several_numbers(model))
    return model


def _several_numbers(line: Line) -> str:
    return (
        f"after the path {quoted(line.path)} come {len(line.numbers)} numbers, {' '.join(line.numbers)[:50]}; which is "
        "the label? Set DATA.LIST_COLUMNS to path,num_frames,label or path,label,num_frames; a video has one label"
    )


def _differing(rows: Rows, row: int, line: Line, model: Line) -> ManifestError:
    found, expected = (
        "a number" if each.numbers else f"the text {quoted(each.text)}" if each.text else "nothing"
        for each in (line, model)
    )
    return rows.error(
        row,
        f"after the path {quoted(line.path)} comes {found}, elsewhere {expected}; either every line has a label or "
        'none has (name the columns in a header path,label or in DATA.LIST_COLUMNS; "quote" a path with blanks)',
    )


def _number_or_text(label: str) -> int | str | None:
    number = label_number(label)
    return number if number is not None else label or None
