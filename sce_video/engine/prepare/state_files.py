"""Reading of the JSON state files that earlier runs wrote, with type checks."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_LARGEST = 2**63 - 1


def parse_json(content: bytes | str) -> Any:
    """Parse JSON; raises ValueError for invalid JSON or UTF-8, or nesting that is too deep."""
    try:
        return json.loads(content.decode("utf-8") if isinstance(content, bytes) else content)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error


def checked(kind: type[T], values: object) -> T:
    """An instance of a dataclass with plain fields from a JSON object; fields with a default may be missing.

    Raises:
        ValueError: not an object, missing or unknown fields, a value of another type, a number that is not finite.
    """
    if not isinstance(values, dict):
        raise ValueError(f"is {type(values).__name__}, not an object")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    needed = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    for problem, names in (("lacks", needed - values.keys()), ("has an unknown", values.keys() - fields.keys())):
        if names:
            raise ValueError(f"{problem} {ascii(min(names, key=str))[:80]}")
    return kind(**{name: _of_type(name, value, fields[name].type) for name, value in values.items()})


def _of_type(name: str, value: Any, kind: Any) -> Any:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if not any(_FITS[each](value) for each in kinds):
        raise ValueError(f"{name} is {ascii(value)[:80]}")
    return value


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(value.encode("utf-8") or True)
    except UnicodeEncodeError:  # a lone surrogate
        return False


_FITS: dict[Any, Callable[[Any], bool]] = {
    str: _is_text,
    int: lambda value: type(value) is int and abs(value) <= _LARGEST,
    float: lambda value: type(value) in (int, float) and abs(value) <= _LARGEST and math.isfinite(value),
    types.NoneType: lambda value: value is None,
}
