"""Conversion of strings in files and on the command line to the types of their keys."""

import math
import re
from collections.abc import Mapping
from typing import Any

from sce_video.config.settings import Setting
from sce_video.errors import ConfigError
from sce_video.paths import expanded
from sce_video.urls import masked, masked_url

# Neither YAML's nor Python's further forms: `010` is ten, `1:30`, `0x10` and `1_000` are no numbers.
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,5})?")
_FLAGS = {"true": True, "false": False}
_MOST_SHOWN = 120


def read_value(value: Any, setting: Setting, *, key: str, origin: str) -> Any:
    """`value`, a text or what a program gives, as the type of the setting and within its bounds.

    Raises:
        ConfigError: it is not; names key, value and origin.
    """
    read = _coerced(value, setting.default, key=key, origin=origin)
    if setting.is_path:
        try:
            read = expanded(read)
        except ConfigError as error:
            raise ConfigError(f"{key} is {shown(value)}; {error}") from error
    if refusal := setting.refusal(read):
        raise ConfigError(f"{key} is {shown(read)}; {refusal}")
    return read


def shown(value: Any) -> str:
    """A value for an error message: one line, truncated, without secrets of URLs."""
    text = repr(masked_url(value)) if isinstance(value, str) and "://" in value else masked(repr(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _coerced(value: Any, default: Any, *, key: str, origin: str) -> Any:
    """Ints are accepted as floats and strings are parsed; there are no other conversions."""
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
    raise ConfigError(f"{origin}: {key} is {shown(value)}; {_expected(default)} was expected (for example {default!r})")


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
