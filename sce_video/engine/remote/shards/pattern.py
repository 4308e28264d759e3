"""Brace patterns for names of shards, as in WebDataset and the shell."""

import re
from collections import Counter

from sce_video.errors import ManifestError

BRACES = re.compile(r"(?<!\$)\{([^{}]*)\}")  # ${NAME} is a variable
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST_SHARDS = 1_000_000


def expand_braces(pattern: str) -> list[str]:
    """`a{08..10}.tar` -> a08.tar, a09.tar, a10.tar; `{train,val}.tar` -> train.tar, val.tar; several give all pairs.

    Raises:
        ManifestError: a descending range, nested braces, neither range nor choice, duplicates, a million names or more.
    """
    names = [""]
    parts = BRACES.split(pattern)  # text, content of braces, text, ...
    for index, part in enumerate(parts):
        choices = _choices(part, pattern) if index % 2 else [_without_braces(part, pattern)]
        if len(names) * len(choices) >= _MOST_SHARDS:
            raise ManifestError(f"{pattern!r} names {_MOST_SHARDS} shards or more")
        names = [name + choice for name in names for choice in choices]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ManifestError(f"{pattern!r} names {twice!r} twice")
    return names


def _without_braces(text: str, pattern: str) -> str:
    if re.search(r"[{}]", re.sub(r"\$\{\w+\}", "", text)):
        raise ManifestError(f"{pattern!r} has unbalanced or nested braces; write {{a,b,c}}")
    return text


def _choices(content: str, pattern: str) -> list[str]:
    ends = _RANGE.fullmatch(content)
    if ends is None:
        if "," not in content:
            raise ManifestError(f"{pattern!r}: {{{content}}} is neither a range {{000..999}} nor a choice {{a,b}}")
        return content.split(",")
    first, last = int(ends[1]), int(ends[2])
    if not first <= last < first + _MOST_SHARDS:
        raise ManifestError(f"{pattern!r}: {{{content}}} is not an ascending range of at most {_MOST_SHARDS}")
    is_padded = any(len(end) > 1 and end.startswith("0") for end in ends.groups())
    width = max(map(len, ends.groups())) if is_padded else 0
    return [f"{number:0{width}d}" for number in range(first, last + 1)]
