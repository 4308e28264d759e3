"""In which order the images of a folder play, by the numbers in their names alone: no file is opened."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

Number = int | Fraction
_Numbers = Sequence[Number]  # of one name

_NUMBERS = re.compile(r"([0-9]+)")
# A sign is one where no letter or digit stands before it: "a-1" has none. If only some names have it there, it is one
# there too.
_SIGN = r"(?:(?<![0-9A-Za-z])[-+])?"
_READINGS = [re.compile(rf"({_SIGN}[0-9]+)"), re.compile(rf"({_SIGN}[0-9]+(?:\.[0-9]+)?)")]
_SIGNED_READINGS = [re.compile(r"([-+]?[0-9]+)"), re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)")]
_MAY_BE_READ_OTHERWISE = re.compile(r"[0-9]\.[0-9]|(?<![0-9A-Za-z])[-+][0-9]")

_FIELD = re.compile(r"\{(?::0?([0-9]*)(?:\.[0-9]+)?([df]?))?\}")
_FIELD_KINDS = {"d": r"[-+]?[0-9]", "f": r"[-+]?[0-9]+(?:\.[0-9]+)?", "": r"[-+]?[0-9]+(?:\.[0-9]+)?"}
_NUM_PATTERNS_SHOWN = 4


class FrameNamesError(ValueError):
    """Names that do not tell an order; the message says why, without the folder."""


def in_order(names: Sequence[str]) -> list[str]:
    """Sorted by the number that varies, as a number: with sign, with decimals.

    Numbers that are the same in all names (a size, the video's own) do not count. Where several vary (a count and a
    time) one has to differ in all names, and the others must not contradict it.

    Raises:
        FrameNamesError: the names are of several patterns, or can be read as more than one order or none.
    """
    if len(names) < 2:
        return list(names)
    plain = _order(names, _NUMBERS)
    if plain is not None and not _MAY_BE_READ_OTHERWISE.search(names[0]):
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
        f"the numbers in {len(names)} names like {first} and {last} tell {many}; say it with DATA.FRAMES_PATTERN"
        + _example_of_all(names)
    )


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """Those that a pattern such as `img_{:05d}.jpg` makes, sorted by its numbers, the first of them first.

    Args:
        pattern: as `str.format` knows it: {} or {:d}, {:05d}, {:.3f}; "*" stands for anything.
    Raises:
        FrameNamesError: a pattern without a number or with something else in braces; two names of the same number.
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
        raise FrameNamesError(f"{pattern!r} is no pattern of names; write img_{{:05d}}.jpg, with * for what may vary")
    expression = _for_text(texts[0])
    for digits, kind, text in zip(parts[1::3], parts[2::3], texts[1:], strict=True):
        least = f"{{{digits or 1},}}" if kind == "d" else ""
        expression += f"({_FIELD_KINDS[kind or '']}{least}){_for_text(text)}"
    return re.compile(expression)


def _for_text(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))


def _order(names: Sequence[str], reading: re.Pattern[str]) -> list[str] | None:
    """The names sorted, if all have numbers at the same positions and these tell an order; else None."""
    split = [reading.split(name) for name in names]  # text, number, text, number, ..., text
    texts = split[0][::2]
    if any(parts[::2] != texts for parts in split):
        return None
    columns = zip(*(parts[1::2] for parts in split), strict=True)
    varying = [_values(column) for column in columns if len(set(column)) > 1]
    for telling in varying:
        if len(set(telling)) == len(names):
            order = sorted(range(len(names)), key=telling.__getitem__)
            return [names[i] for i in order] if all(_rises(column, order) for column in varying) else None
    return None


def _rises(column: _Numbers, order: Sequence[int]) -> bool:
    ordered = [column[i] for i in order]
    return ordered == sorted(ordered)


def _values(numbers: Iterable[str]) -> tuple[Number, ...]:
    return tuple(Fraction(number) if "." in number else int(number) for number in numbers)


def _patterns(names: Iterable[str]) -> list[tuple[str, int]]:
    """The first name of each pattern, and how many there are of it; the commonest first."""
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
    """A pattern in which all numbers that vary count, the first of them first: none of the names is left out."""
    split = [_NUMBERS.split(name) for name in names]
    if any(parts[::2] != split[0][::2] for parts in split):
        return _example(min(names))
    parts = ["{:d}" if len(set(column)) > 1 else column[0] for column in zip(*split, strict=True)]
    return f", such as {''.join(parts)}"


def _example(name: str) -> str:
    """The pattern of a name whose last number counts, which need not be what is meant."""
    if not _NUMBERS.search(name):
        return ""
    *head, number, end = _NUMBERS.split(name)
    field = f"{{:0{len(number)}d}}" if number.startswith("0") and len(number) > 1 else "{:d}"
    return f", such as {''.join(head)}{field}{end}"
