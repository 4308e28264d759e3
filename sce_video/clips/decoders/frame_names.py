"""Order of the frames in a folder of images, by the numbers in their names; no file is opened."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

Number = int | Fraction
_Numbers = Sequence[Number]

_NUMBERS = re.compile(r"([0-9]+)")
# A sign counts unless a letter or digit precedes it, as in "a-1". If that gives no order, every - and + is a sign.
_SIGN = r"(?:(?<![0-9A-Za-z])[-+])?"
_READINGS = [re.compile(rf"({_SIGN}[0-9]+)"), re.compile(rf"({_SIGN}[0-9]+(?:\.[0-9]+)?)")]
_SIGNED_READINGS = [re.compile(r"([-+]?[0-9]+)"), re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)")]
_IS_AMBIGUOUS = re.compile(r"[0-9]\.[0-9]|(?<![0-9A-Za-z])[-+][0-9]")

_FIELD = re.compile(r"\{(?::0?([0-9]*)(?:\.[0-9]+)?([df]?))?\}")
_FIELD_KINDS = {"d": r"[-+]?[0-9]", "f": r"[-+]?[0-9]+(?:\.[0-9]+)?", "": r"[-+]?[0-9]+(?:\.[0-9]+)?"}
_NUM_PATTERNS_SHOWN = 4


class FrameNamesError(ValueError):
    """Names that do not determine an order; the message does not name the folder."""


def sorted_by_number(names: Sequence[str]) -> list[str]:
    """The names sorted by the number that varies, with sign and decimals.

    Numbers that are the same in all names (a size, the video's id) are ignored. If several vary (a count and a time),
    one must differ in all names, and the others must not contradict it.

    Raises:
        FrameNamesError: the names have several patterns, or give no order or more than one.
    """
    if len(names) < 2:
        return list(names)
    plain = _order(names, _NUMBERS)
    if plain is not None and not _IS_AMBIGUOUS.search(names[0]):
        return plain
    orders = [order for reading in (_NUMBERS, *_READINGS) if (order := _order(names, reading))]
    orders = orders or [order for reading in _SIGNED_READINGS if (order := _order(names, reading))]
    if orders and all(order == orders[0] for order in orders):
        return orders[0]
    patterns = _patterns(names)
    if len(patterns) > 1 and not orders:
        raise FrameNamesError(
            f"images with names of {len(patterns)} patterns: {_shown(patterns)}; choose one with DATA.FRAMES_PATTERN"
            + _example(patterns[0][0])
        )
    first, last = min(names), max(names)
    many = "more than one order" if orders else "no order"
    raise FrameNamesError(
        f"the numbers in {len(names)} names like {first} and {last} give {many}; set DATA.FRAMES_PATTERN"
        + _example_of_all(names)
    )


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names that match a pattern such as `img_{:05d}.jpg`, sorted by its numbers, the first one first.

    Args:
        pattern: with fields as in `str.format`: {} or {:d}, {:05d}, {:.3f}; "*" matches anything.
    Raises:
        FrameNamesError: a pattern without a field or with another one; two names with the same numbers.
    """
    expression = _compiled(pattern)
    found = [(_values(match.groups()), name) for name in names if (match := expression.fullmatch(name))]
    if len({values for values, _ in found}) < len(found):
        raise FrameNamesError(f"several images have the same number in {pattern}")
    return [name for _, name in sorted(found)]


def check_pattern(pattern: str) -> None:
    """Raises FrameNamesError, as `matching`."""
    _compiled(pattern)


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = _FIELD.split(pattern)  # text, digits, kind, text, digits, kind, ..., text
    texts = parts[::3]
    if len(parts) == 1 or any(brace in text for text in texts for brace in "{}%/"):
        raise FrameNamesError(f"{pattern!r} is not a pattern of names; write img_{{:05d}}.jpg, with * for what varies")
    expression = _for_text(texts[0])
    for digits, kind, text in zip(parts[1::3], parts[2::3], texts[1:], strict=True):
        least = f"{{{digits or 1},}}" if kind == "d" else ""
        expression += f"({_FIELD_KINDS[kind or '']}{least}){_for_text(text)}"
    return re.compile(expression)


def _for_text(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))


def _order(names: Sequence[str], reading: re.Pattern[str]) -> list[str] | None:
    """The names sorted by their numbers; None unless all have numbers at the same positions and these give an order."""
    split = [reading.split(name) for name in names]  # text, number, text, number, ..., text
    texts = split[0][::2]
    if any(parts[::2] != texts for parts in split):
        return None
    columns = zip(*(parts[1::2] for parts in split), strict=True)
    varying = [_values(column) for column in columns if len(set(column)) > 1]
    for key in varying:
        if len(set(key)) == len(names):
            order = sorted(range(len(names)), key=key.__getitem__)
            return [names[i] for i in order] if all(_rises(column, order) for column in varying) else None
    return None


def _rises(column: _Numbers, order: Sequence[int]) -> bool:
    ordered = [column[i] for i in order]
    return ordered == sorted(ordered)


def _values(numbers: Iterable[str]) -> tuple[Number, ...]:
    return tuple(Fraction(number) if "." in number else int(number) for number in numbers)


def _patterns(names: Iterable[str]) -> list[tuple[str, int]]:
    """The first name and the count of each pattern, most common first."""
    firsts: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in sorted(names):
        pattern = _READINGS[1].sub("#", name)
        firsts.setdefault(pattern, name)
        counts[pattern] += 1
    return [(firsts[pattern], count) for pattern, count in counts.most_common()]


def _shown(patterns: Sequence[tuple[str, int]]) -> str:
    shown = [f"{count} like {name}" if count > 1 else name for name, count in patterns[:_NUM_PATTERNS_SHOWN]]
    more = len(patterns) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _example_of_all(names: Sequence[str]) -> str:
    """A pattern that matches all names, with a field for each number that varies."""
    split = [_NUMBERS.split(name) for name in names]
    if any(parts[::2] != split[0][::2] for parts in split):
        return _example(min(names))
    parts = ["{:d}" if len(set(column)) > 1 else column[0] for column in zip(*split, strict=True)]
    return f", such as {''.join(parts)}"


def _example(name: str) -> str:
    """A pattern with a field for the last number of a name, a guess at what the user means."""
    if not _NUMBERS.search(name):
        return ""
    *head, number, end = _NUMBERS.split(name)
    field = f"{{:0{len(number)}d}}" if number.startswith("0") and len(number) > 1 else "{:d}"
    return f", such as {''.join(head)}{field}{end}"
