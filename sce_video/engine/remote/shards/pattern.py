"""Brace patterns for names of shards, as in WebDataset and the shell."""

import re
from collections import Counter
from pathlib import Path

from sce_video.engine.remote.location import Location, location
from sce_video.errors import ManifestError
from sce_video.urls import is_url, masked

_BRACES = re.compile(r"(?<!\$)\{([^{}]*)\}")  # ${NAME} is a variable
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST_SHARDS = 1_000_000


def folder_and_names(pattern: str, root: Location) -> tuple[Location, list[str]]:
    """The folder above the first brace of a pattern, and the names of the shards below it.

    Raises:
        ManifestError: braces before the path of a URL, or as `expand_braces`; not a plain .tar.
    """
    path, mark, query = pattern.partition("?") if is_url(pattern) else (pattern, "", "")
    fixed = path[: found.start()] if (found := _BRACES.search(path)) else path
    if is_url(pattern) and fixed.count("/") < 3:
        raise ManifestError(f"{masked(pattern)!r}: braces are allowed only after the host or bucket")
    cut = fixed.rfind("/") + 1
    own = location(f"{path[:cut].rstrip('/') or '/'}{mark}{query}") if cut else Path()
    folder = root / str(own) if isinstance(own, Path) and not own.is_absolute() else own
    names = expand_braces(path[cut:])
    for name in names:
        if not name.endswith(".tar"):
            raise ManifestError(f"{masked(pattern)!r} names {name!r}; a plain .tar was expected, not a compressed one")
    return folder, names


def expand_braces(pattern: str) -> list[str]:
    """`a{08..10}.tar` -> a08.tar, a09.tar, a10.tar; `{train,val}.tar` -> train.tar, val.tar; several give all pairs.

    Raises:
        ManifestError: a descending range, nested braces, neither range nor choice, duplicates, a million names or more.
    """
    names = [""]
    parts = _BRACES.split(pattern)  # text, content of braces, text, ...
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
