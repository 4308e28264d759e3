"""A setting with its reason."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class Choice(NamedTuple):
    """A setting, and its reason for a comment; "" if the line above says it.

    `warning`: for the terminal and the head of the config.
    """

    key: str
    value: Any
    reason: str = ""
    warning: str = ""


def settings_of(choices: Sequence[Choice]) -> dict[str, Any]:
    return {each.key: each.value for each in choices}


def warnings_of(choices: Sequence[Choice]) -> list[str]:
    return [f"WARNING: {each.warning}" for each in choices if each.warning]


def power_of_two(most: float) -> int:
    """The largest that is not above `most`, at least 1."""
    return 1 << max(0, math.floor(math.log2(max(most, 1))))
