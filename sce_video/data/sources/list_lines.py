"""One line of a list: where the path ends, and what stands behind it."""

import re
from typing import NamedTuple

from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_ENDINGS = "|".join(re.escape(suffix) for suffix in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
_WITH_ENDING = re.compile(rf"(?P<path>.*(?:{_ENDINGS}))(?P<rest>[\s,;].*)", re.IGNORECASE | re.DOTALL)
_ENDS = re.compile(rf"(?:{_ENDINGS})\Z", re.IGNORECASE)
_QUOTED = re.compile(r'"(?P<path>(?:[^"]|"")+)"(?P<rest>[\s,;].*)?', re.DOTALL)
_GAPS = re.compile(r"([\s,;]+)")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
# pandas writes whole numbers so where a column has holes.
_WHOLE = re.compile(r"-?[0-9]+(?:\.0*)?")
_MOST_CHARACTERS = 18  # of a label


class Line(NamedTuple):
    """`numbers` behind the path, or else `text`: a class name, or several columns where it is not `is_one`.

    `is_certain` where the path's end can be seen: by the ending of a file's name, by quotes or a tab. Elsewhere, as
    with folders of frames, the path ends before the numbers, of which the first ones may still belong to it.
    """

    path: str
    numbers: list[str]
    text: str
    is_certain: bool
    is_one: bool = True


def parse_line(line: str) -> Line:
    """Take a line apart that has no blanks around it."""
    if line.startswith('"') and (quoted := _QUOTED.fullmatch(line)) is not None:
        return _certain(quoted["path"].replace('""', '"'), quoted["rest"] or "")
    if has_ending(line):
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


def has_ending(path: str) -> bool:
    """Whether a path ends as videos or images do."""
    return _ENDS.search(path) is not None


def split_from_right(line: str, num_fields: int) -> tuple[str, list[str]]:
    """The last fields, with blanks, commas or semicolons between them, and the path before them.

    Fewer fields where the line has not so many.
    """
    parts = _GAPS.split(line)
    num_fields = min(num_fields, (len(parts) - 1) // 2)
    cut = len(parts) - 2 * num_fields
    return "".join(parts[:cut]), parts[cut + 1 :: 2]


def split_rest(rest: str, num_fields: int) -> list[str]:
    """Fields that are no numbers alone: a tab, comma or semicolon parts them where there is one, or else blanks."""
    if num_fields == 1:
        return [rest]
    mark = next((mark for mark in "\t,;" if mark in rest), None)
    return [field.strip().strip('"') for field in rest.split(mark)]


def label_number(text: str) -> int | None:
    """The label that a number stands for, 3 for `3` and `3.0`; None for one that is not whole or far too large."""
    return int(text.partition(".")[0]) if len(text) <= _MOST_CHARACTERS and _WHOLE.fullmatch(text) else None


def _certain(path: str, rest: str) -> Line:
    """`rest` begins with what parts it from the path, if there is anything."""
    _, *gaps_and_fields = _GAPS.split(rest.rstrip(" \t,;"))
    gaps, fields = gaps_and_fields[::2], [field.strip('"') for field in gaps_and_fields[1::2]]
    # Two commas hold an empty column between them: what is behind it is not what it seems.
    if all(map(_NUMBER.fullmatch, fields)) and all(len(re.findall("[,;]", gap)) < 2 for gap in gaps):
        return Line(path, fields, "", True)
    text = rest.strip().removeprefix(",").removeprefix(";").strip()
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"' and '"' not in text[1:-1].replace('""', "")
    if is_quoted:
        return Line(path, [], text[1:-1].replace('""', '"'), True)
    # A split, say, in a column of its own is no part of a name.
    is_one = not re.search('[,;\t"]', text) and not any(map(_NUMBER.fullmatch, text.split()))
    has_blanks_of_its_own = bool(gaps) and re.search("[,;\t]", gaps[0]) is not None
    return Line(path, [], text, True, is_one and (has_blanks_of_its_own or " " not in text))
