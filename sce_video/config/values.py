"""Conversion of values in files and on the command line to the types of their keys."""

import math
import re
from collections.abc import Mapping
from typing import Any

from sce_video.config.settings import Setting
from sce_video.errors import ConfigError
from sce_video.paths import expanded
from sce_video.urls import masked, masked_url

# Without the other notations of YAML 1.1 and Python: `010` is ten; `1:30`, `0x10` and `1_000` are not numbers.
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,5})?")
_FLAGS = {"true": True, "false": False}
_MOST_SHOWN = 120


def read_value(value: Any, setting: Setting, *, key: str, origin: str) -> Any:
    """`value`, a string or already of another type, converted to the type of the setting and checked.

    Raises:
        ConfigError: wrong type or out of bounds; has key, value and origin.
    """
    read = _coerced(value, setting.default, key=key, origin=origin)
    if setting.is_path:
        try:
            read = expanded(read)
        except ConfigError as error:
            raise ConfigError(f"{key} is {masked_repr(value)}; {error}") from error
    if refusal := setting.refusal(read):
        raise ConfigError(f"{key} is {masked_repr(read)}; {refusal}")
    return read


def masked_repr(value: Any) -> str:
    """`repr` for error messages: secrets in URLs masked, truncated."""
    text = repr(masked_url(value)) if isinstance(value, str) and "://" in value else masked(repr(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _coerced(value: Any, default: Any, *, key: str, origin: str) -> Any:
    """Parse strings and convert ints to floats; everything else must have the type of the default."""
    if isinstance(default, str):
        if isinstance(value, str):
            return value
    elif isinstance(default, list):
        items = value.strip("[]() ").split(",") if isinstance(value, str) else value
        if isinstance(items, list | tuple) and items:
            return [_coerced(item, default[0], key=key, origin=origin) for item in items]
    else:
        parsed = _parsed(value.strip(), default) if isinstance(value, str) else value
        if isinstance(default, float) and type(parsed) is int:
            parsed = float(parsed)
        if type(parsed) is type(default) and abs(parsed) < math.inf:
            return parsed
    expected = f"{_expected(default)} was expected (for example {default!r})"
    raise ConfigError(f"{origin}: {key} is {masked_repr(value)}; {expected}")


def _parsed(text: str, default: Any) -> Any:
    if isinstance(default, bool):
        return _FLAGS.get(text.lower(), text)
    if isinstance(default, float):
        return float(text) if _NUMBER.fullmatch(text) else text
    return int(text) if _WHOLE.fullmatch(text) else text


def _expected(default: Any) -> str:
    names: Mapping[type, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a finite number",
        str: "a text",
        list: "a list",
    }
    return names[type(default)]
