"""What a piece of a table is told by keyword, called like keys of the config."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def takes(piece: Callable[..., Any]) -> tuple[str, ...]:
    """The settings of a function or class: its keyword-only arguments."""
    parameters = inspect.signature(piece).parameters.values()
    return tuple(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)


def settings_of(section: Mapping[str, Any], piece: Callable[..., Any]) -> dict[str, Any]:
    """By name, the values that a section of the config has of what a piece takes."""
    return {name: section[name.upper()] for name in takes(piece) if name.upper() in section}
