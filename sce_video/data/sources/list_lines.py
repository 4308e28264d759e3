"""A line of a list, parsed into its path and the columns after it."""

import re
from typing import NamedTuple

from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_ENDINGS = "|".join(re.escape(suffix) for suffix in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
_WITH_ENDING = re.compile(rf"(?P<path>.*(?:{_ENDINGS}))(?P<rest>[\s,;].*)", re.IGNORECASE | re.DOTALL)
_ENDS = re.compile(rf"(?:{_ENDINGS})\Z", re.IGNORECASE)
_QUOTED = re.compile(r'"(?P<path>(?:[^"]|"")+)"(?P<rest>[\s,;].*)?', re.DOTALL)
_GAPS = re.compile(r"([\s,;]+)")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
# pandas writes 3.0 for 3 in a column with missing values.
_WHOLE = re.compile(r"-?[0-9]+(?:\.0*)?")
_MOST_CHARACTERS = 18  # of a label


class Line(NamedTuple):
    """The path, and after it `numbers` or else `text`: a class name, or several columns (not `is_one`).

    `is_certain` if the path ends with the suffix of a file, a quote or before a tab. Otherwise, as for folders of
    frames, it ends before the numbers, the first of which may still belong to it.
    """

    path: str
    numbers: list[str]
    text: str
    is_certain: bool
    is_one: bool = True


def parse_line(line: str) -> Line:
    """Parse a line without blanks around it."""
    if line.startswith('"') and (quoted := _QUOTED.fullmatch(line)) is not None:
        return _certain(quoted["path"].replace('""', '"'), quoted["rest"] or "")
    if has_suffix(line):
        return Line(line, [], "", True)
    if (found := _WITH_ENDING.fullmatch(line)) is not None:
        return _certain(found["path"], found["rest"])
    if "\t" in line:
        path, mark, rest = line.partition("\t")
        return _certain(path.rstrip(), mark + rest)
    parts = _GAPS.split(line)
    num_numbers = 0
    while 2 * num_numbers + 2 < len(parts) and _WHOLE.fullmatch(parts[-1 - 2 * num_numbers]):
        num_numbers += 1
    path, numbers = split_from_right(line, num_numbers)
    return Line(path, numbers, "", False)


def has_suffix(path: str) -> bool:
    """Whether a path has the suffix of a video or image."""
    return _ENDS.search(path) is not None


def split_from_right(line: str, num_fields: int) -> tuple[str, list[str]]:
    """The path and the last fields, separated by blanks, commas or semicolons; fewer if the line has not so many."""
    parts = _GAPS.split(line)
    num_fields = min(num_fields, (len(parts) - 1) // 2)
    cut = len(parts) - 2 * num_fields
    return "".join(parts[:cut]), parts[cut + 1 :: 2]


def split_rest(rest: str, num_fields: int) -> list[str]:
    """Fields after the path, separated by tabs, commas or semicolons if there are any, or else by blanks."""
    if num_fields == 1:
        return [rest]
    mark = next((mark for mark in "\t,;" if mark in rest), None)
    return [field.strip().strip('"') for field in rest.split(mark)]


def label_number(text: str) -> int | None:
    """The label in a text, 3 for `3` and `3.0`; None if it is not a whole number, or far too large."""
    return int(text.partition(".")[0]) if len(text) <= _MOST_CHARACTERS and _WHOLE.fullmatch(text) else None


def _certain(path: str, rest: str) -> Line:
    """The line of a path that is certain; `rest` begins with the delimiter, if there is any."""
    _, *gaps_and_fields = _GAPS.split(rest.rstrip(" \t,;"))
    gaps, fields = gaps_and_fields[::2], [field.strip('"') for field in gaps_and_fields[1::2]]
    # Two commas have an empty column between them, after which a number may be anything.
    if all(map(_NUMBER.fullmatch, fields)) and all(len(re.findall("[,;]", gap)) < 2 for gap in gaps):
        return Line(path, fields, "", True)
    text = rest.strip().removeprefix(",").removeprefix(";").strip()
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1].replace('""', "")
    if is_quoted:
        return Line(path, [], text[1:-1].replace('""', '"'), True)
    # Another column, such as a split, is not part of a name.
    is_one = not re.search('[,;\t"]', text) and not any(map(_NUMBER.fullmatch, text.split()))
    has_blanks_of_its_own = bool(gaps) and re.search("[,;\t]", gaps[0]) is not None
    return Line(path, [], text, True, is_one and (has_blanks_of_its_own or " " not in text))
