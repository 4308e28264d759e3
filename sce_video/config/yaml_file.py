"""Bounded reading of YAML files; a file that is not a config gives a one-line error that quotes none of its content.

Scalars stay strings (an empty value, `~` and `null` are None): `values.py` parses them by the type of their key, in
files and on the command line alike, where YAML 1.1 would guess (`010`, `1:30`, `no`, `1e-6`).
"""

import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from sce_video.errors import ConfigError
from sce_video.special_files import read_small_file

_MOST_BYTES = 65_536  # a complete config has 4,000
_MOST_DEPTH = 20
_MOST_NODES = 10_000  # with aliases expanded
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_RESOLVED_TAGS = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")


class _TextLoader(yaml.SafeLoader):
    """SafeLoader that leaves scalars as strings and refuses repeated keys (PyYAML would silently take the last)."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as in PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _RESOLVED_TAGS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.value:
                raise ConfigError(f"line {line}: this is not a key")
            if key_node.value in seen:
                lines = f"lines {seen[key_node.value]} and {line}"
                raise ConfigError(f"key {key_node.value[:60]} is given twice, in {lines}; keep one")
            seen[key_node.value] = line
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The content of a config file; scalars are strings or None.

    Raises:
        ConfigError: it cannot be read, is not YAML, or is too large (also with aliases expanded) or deep.
    """
    return parse_yaml(_read_text(path), origin=f"config {path}")


def parse_yaml(text: str, *, origin: str) -> dict[str, Any]:
    """Like `read_yaml`, for a string; `origin` begins error messages."""
    try:
        _require_small(text)
        content = yaml.load(text, Loader=_TextLoader)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        raise ConfigError(f"{origin} is not YAML: {_problem(error)}{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError) as error:  # PyYAML's constructors
        raise ConfigError(f"{origin} is not YAML: {type(error).__name__}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        kind = "list" if isinstance(content, list) else "text"
        raise ConfigError(f"{origin} contains a {kind}; sections with keys were expected")
    return content


def flattened(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(SECTION.NAME, value) of every key."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _problem(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's message without its quotes from the file, which may contain secrets."""
    return _QUOTED.sub("...", " ".join((error.problem or error.context or "").split()))[:200]


def _read_text(path: Path) -> str:
    try:
        return read_small_file(path, most_bytes=_MOST_BYTES).decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"config {path} does not exist") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"config {path} cannot be read (it is not UTF-8 text)") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"config {path} cannot be read ({reason})") from error


def _require_small(text: str) -> None:
    """Check depth and size, with aliases expanded, before anything is built.

    Raises:
        ConfigError, yaml.YAMLError: too deep or large; not YAML.
    """
    sizes: dict[str | None, int] = {}  # anchor -> nodes, with aliases expanded
    opened: list[tuple[str | None, int]] = []  # open collections: anchor, number of nodes before it
    num_nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in opened):
                raise ConfigError(f"{_line(event)}: an alias refers to itself")
            num_nodes += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.NodeEvent):
            num_nodes += 1
            if getattr(event, "tag", None) is not None:  # `!!int 010` would be eight
                raise ConfigError(f"{_line(event)}: tags (!) are not allowed; write only the value")
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, num_nodes - 1))
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            sizes[anchor] = num_nodes - before
        if len(opened) > _MOST_DEPTH:
            raise ConfigError(f"{_line(event)}: nested deeper than {_MOST_DEPTH} levels")
        if num_nodes > _MOST_NODES:
            raise ConfigError(f"{_line(event)}: more than {_MOST_NODES:,} values, with aliases expanded")


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark is not None else "a line"
