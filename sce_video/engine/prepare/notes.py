"""What a run notes down for the next one, read again: each value of the type that was written, or an error."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_LARGEST = 2**63 - 1


def read_json(content: bytes | str) -> Any:
    """Raises ValueError for what is no JSON in UTF-8, or nested too deep."""
    try:
        return json.loads(content.decode("utf-8") if isinstance(content, bytes) else content)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def checked(kind: type[T], values: object) -> T:
    """A dataclass of plain fields from a JSON object; fields with a default may be missing.

    Raises:
        ValueError: no object, missing or unknown names, a value of another type, a number that is not finite.
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
    except UnicodeEncodeError:  # half a character
        return False


_FITS: dict[Any, Callable[[Any], bool]] = {
    str: _is_text,
    int: lambda value: type(value) is int and abs(value) <= _LARGEST,
    float: lambda value: type(value) in (int, float) and abs(value) <= _LARGEST and math.isfinite(value),
    types.NoneType: lambda value: value is None,
}
