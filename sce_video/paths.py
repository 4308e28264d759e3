"""Expansion of `~` and `$NAME` in the paths of configs and command lines."""

import os
import re

from sce_video.errors import ConfigError

_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)


def names_variable(text: str) -> bool:
    """Whether `$NAME` or `${NAME}` is in a path."""
    return bool(_VARIABLE.search(text))


def expanded(text: str) -> str:
    """A path with a leading `~`, `$NAME` and `${NAME}` expanded; a URL is returned unchanged.

    Raises:
        ConfigError: the home or variable does not exist; the message does not name the path.
    """
    if "://" in text:  # `${NAME}` in a URL is a secret, which must not enter the saved config
        return text

    def value_of(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        value = os.environ.get(name)
        if value is None:
            raise ConfigError(f"the environment variable {name} is not set; write the path out")
        return value

    path = os.path.expanduser(_VARIABLE.sub(value_of, text))
    if path.startswith("~"):
        raise ConfigError(f"this user has no home folder; write the path out, or ./{path} for a file of this name")
    if names_variable(path):
        raise ConfigError("the variable's value contains another variable; write the path out")
    return path
