"""How settings are declared: default, allowed values, and the conditions under which a setting is used."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from sce_video.arguments import keyword_names
from sce_video.urls import holds_secret, is_url

_MOST_CHARACTERS = 4096  # of a string: Linux's longest path
_MOST_VALUES = 1000  # of a list
# Control characters, line separators and lone surrogates (undecodable bytes of a command line).
_REFUSED_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")

_NO_SECRETS = (
    "a password or the values after ? would be saved beside the results: put each whole value into an environment "
    "variable and write ${NAME} instead"
)


@dataclass(frozen=True)
class When:
    """Condition on other settings under which a setting is used."""

    keys: tuple[str, ...]
    holds: Callable[..., bool]  # of the values of `keys`
    words: str


@dataclass(frozen=True)
class Setting:
    """One key of the config.

    Attributes:
        refusal: value -> what it must be, or "" if it is valid.
        conditions: all must hold for the setting to be used.
        is_path: `~` and `$NAME` are expanded.
        choices: the allowed values; empty if they cannot be listed.
        is_free: may change when a run is resumed; None: as the section.
    """

    default: Any
    refusal: Callable[[Any], str]
    conditions: tuple[When, ...] = ()
    is_path: bool = False
    choices: tuple[Any, ...] = ()
    is_free: bool | None = None


class Section(SimpleNamespace):
    """The settings of one section, as attributes; conditions and `is_free` apply to all of them."""

    def __init__(self, *conditions: When, is_free: bool = False) -> None:
        super().__init__()
        self._conditions, self._is_free = conditions, is_free

    def settings(self) -> dict[str, Setting]:
        return {
            name: replace(
                each,
                conditions=(*self._conditions, *each.conditions),
                is_free=self._is_free if each.is_free is None else each.is_free,
            )
            for name, each in vars(self).items()
            if isinstance(each, Setting)
        }


def when(key: str, *values: Any) -> When:
    """The condition that `key` has one of these values."""
    listed = ", ".join(map(str, values[:-1]))
    return When((key,), lambda value: value in values, f"{key} {listed}{' or ' if listed else ''}{values[-1]}")


def when_above_zero(key: str) -> When:
    """The condition that `key`, or a value in its list, is above 0."""
    return When((key,), lambda value: any(each > 0 for each in _listed(value)), f"{key} above 0")


def when_takes(key: str, pieces: Mapping[str, Callable[..., Any]], name: str) -> When:
    """The condition that the piece which `key` chooses has a keyword-only argument `name`."""
    return when(key, *(each for each, piece in pieces.items() if name in keyword_names(piece)))


def free(setting: Setting) -> Setting:
    """Let a setting change when a run is resumed: by itself it affects neither views nor schedules."""
    return replace(setting, is_free=True)


def fixed(setting: Setting) -> Setting:
    """Keep a setting from changing when a run is resumed, in a section that is free."""
    return replace(setting, is_free=False)


def choice(default: Any, *values: Any, conditions: Sequence[When] = (), prefix: str = "") -> Setting:
    """One of the given strings or numbers, or with `prefix` a text that starts with it, whose rest is checked later."""
    fix = f"choose one of {', '.join(map(str, values))}{f' or {prefix}NAME' if prefix else ''}"

    def refusal(value: Any) -> str:
        is_other = prefix != "" and value not in values and value.startswith(prefix)
        return refused_text(value) if is_other else "" if value in values else fix

    return Setting(default, refusal, tuple(conditions), choices=values)


def flag(default: bool, *conditions: When) -> Setting:
    return Setting(default, lambda value: "", conditions)


def text(default: str) -> Setting:
    return Setting(default, refused_text)


def pattern(default: str, *conditions: When) -> Setting:
    """A regular expression with one group; "" is none."""

    def refusal(value: str) -> str:
        if refused := refused_text(value):
            return refused
        try:
            has_one = not value or re.compile(value).groups == 1
        except (re.error, OverflowError, RecursionError) as error:
            return f"it must be a regular expression ({error})"
        return "" if has_one else "it must have one group in parentheses, like session_([0-9]+)"

    return Setting(default, refusal, conditions)


def path(default: str, *conditions: When) -> Setting:
    """A local file or folder."""

    def refusal(value: str) -> str:
        return refused_text(value) or ("it must be a local path" if is_url(value) else "")

    return Setting(default, refusal, conditions, is_path=True)


def path_or_url(default: str, *conditions: When) -> Setting:
    """A local file or folder, or a URL."""

    def refusal(value: str) -> str:
        chained = is_url(value) and "::" in value
        return refused_text(value) or ("chained URLs are not supported: name the files themselves" if chained else "")

    return Setting(default, refusal, conditions, is_path=True)


def number(
    default: Any,
    *conditions: When,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    length: int | None = None,
    rising: bool = False,
    odd: bool = False,
) -> Setting:
    """A number (an integer if the default is one) or a list of numbers, all within the bounds.

    Args:
        length: of a list; None: up to 1000.
        rising: the first of two values must not exceed the second.
    """

    def refusal(value: Any) -> str:
        values = _listed(value)
        every = "every value" if isinstance(value, list) else "it"
        if length is not None and len(values) != length:
            return f"it must have {length} values"
        if len(values) > _MOST_VALUES:
            return f"it must have at most {_MOST_VALUES} values"
        for each in values:
            if least is not None and most is not None and not least <= each <= most:
                return f"{every} must be between {_formatted(least)} and {_formatted(most)}"
            if (least is not None and each < least) or (above is not None and each <= above):
                return f"{every} must be {_bound('at least', least, 'above', above)}"
            if (most is not None and each > most) or (below is not None and each >= below):
                return f"{every} must be {_bound('at most', most, 'below', below)}"
            if odd and each % 2 == 0:
                return f"{every} must be odd"
        return "the first value must not exceed the second" if rising and values[0] > values[1] else ""

    return Setting(default, refusal, conditions)


def share(default: Any, *conditions: When, length: int | None = None) -> Setting:
    """A share or probability in [0, 1], or a list of them."""
    return number(default, *conditions, least=0, most=1, length=length)


def positive(
    default: Any, *conditions: When, most: float, length: int | None = None, rising: bool = False, odd: bool = False
) -> Setting:
    """A number in (0, most], or a list of them."""
    return number(default, *conditions, above=0, most=most, length=length, rising=rising, odd=odd)


def refused_text(value: str) -> str:
    """Why a string is refused and what to do, or "" if it is valid."""
    if len(value) > _MOST_CHARACTERS:
        return f"it must have at most {_MOST_CHARACTERS} characters"
    found = next((each for each in value if unicodedata.category(each) in _REFUSED_CATEGORIES), None)
    if found is not None:
        return f"remove the control character {found!r}"
    return _NO_SECRETS if holds_secret(value) else ""


def _bound(inclusive: str, closed: float | None, exclusive: str, opened: float | None) -> str:
    return f"{exclusive} {_formatted(opened)}" if closed is None else f"{inclusive} {_formatted(closed)}"


def _formatted(bound: float | None) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
