"""Settings of the classes and functions in tables such as `METHODS`: keyword-only arguments, named like config keys."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def keyword_names(piece: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the keyword-only arguments of a function or class; with `**others` also those of the class's base."""
    parameters = inspect.signature(piece).parameters.values()
    names = tuple(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)
    if isinstance(piece, type) and any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        owner = next(index for index, each in enumerate(piece.__mro__) if "__init__" in vars(each))
        names += keyword_names(piece.__mro__[owner + 1])
    return names


def settings_for(piece: Callable[..., Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """The values in a section of the config for the keyword-only arguments of `piece`, by argument name."""
    return {name: section[name.upper()] for name in keyword_names(piece) if name.upper() in section}
