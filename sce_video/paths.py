"""`~` and `$NAME` in the paths of configs and command lines."""

import os
import re

from sce_video.errors import ConfigError

_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)


def expanded(text: str) -> str:
    """A path with `~` at its start and `$NAME` or `${NAME}` replaced by what they stand for; a URL as it is.

    Raises:
        ConfigError: a home or a variable that is not there, as "say what to do".
    """
    if "://" in text:  # `${NAME}` in it is a secret, and stays out of the saved config
        return text

    def value_of(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        value = os.environ.get(name)
        if value is None:
            raise ConfigError(f"the environment has no {name}; write the path out")
        return value

    path = os.path.expanduser(_VARIABLE.sub(value_of, text))
    if path.startswith("~"):
        raise ConfigError(f"there is no home of such a user; write ./{path} for a file of this name")
    if _VARIABLE.search(path):
        raise ConfigError("the variable holds another one; write the path out")
    return path
