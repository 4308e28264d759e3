"""Settings of the classes and functions in tables such as `METHODS`: keyword-only arguments, named like config keys."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def keyword_names(piece: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the keyword-only arguments of a function or class."""
    parameters = inspect.signature(piece).parameters.values()
    return tuple(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)


def settings_for(piece: Callable[..., Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """The values in a section of the config for the keyword-only arguments of `piece`, by argument name."""
    return {name: section[name.upper()] for name in keyword_names(piece) if name.upper() in section}
