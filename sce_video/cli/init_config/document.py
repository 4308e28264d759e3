"""The written config: YAML whose settings carry their reasons as comments."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import chain, groupby, repeat
from typing import Any

from sce_video.cli.init_config.choice import Choice
from sce_video.plain_text import escaped, masked

_WIDTH, _COLUMN = 118, 11
# Other texts are quoted.
_PLAIN = re.compile(r"(?!null$)[A-Za-z0-9_./][A-Za-z0-9_./-]*", re.IGNORECASE)


def opening_text(title: str, parts: Mapping[str, Sequence[str]]) -> str:
    """A comment: the title, then for each word its paragraphs beside it."""
    lines = [f"# {_plain(title)}", "#"]
    for word, paragraphs in parts.items():
        for paragraph, start in zip(paragraphs, chain([f"{word}:"], repeat("")), strict=False):
            lines += _comment(paragraph, start=start)
    return "\n".join(lines) + "\n"


def settings_text(task: str, choices: Sequence[Choice]) -> str:
    """The settings by section, in the order given."""
    lines = [f"TASK: {task}"]
    for section, chosen in groupby(choices, key=lambda choice: choice.key.split(".")[0]):
        lines.append(f"{section}:")
        for choice in chosen:
            lines += _setting(choice)
    return "\n".join(lines) + "\n"


def _setting(choice: Choice) -> list[str]:
    line = f"  {choice.key.split('.')[1]}: {yaml_value(choice.value)}"
    reason = _plain(choice.reason)
    if not reason:
        return [line]
    if len(line) + len(reason) + 4 <= _WIDTH:
        return [f"{line}  # {reason}"]
    return [
        *textwrap.wrap(reason, _WIDTH, initial_indent="  # ", subsequent_indent="  # ", break_on_hyphens=False),
        line,
    ]


def yaml_value(value: Any) -> str:
    """A value as the config's YAML reader reads it back; it has no control characters."""
    if isinstance(value, list):
        return f"[{', '.join(map(yaml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        quoted = value.replace("'", "''")
        return f"'{quoted}'"
    return str(value)


def _comment(text: str, *, start: str) -> list[str]:
    """Lines of a comment; `start` stands in a column of its own, unless it is the whole line's."""
    return textwrap.wrap(
        _plain(text),
        _WIDTH,
        initial_indent=f"# {start:<{_COLUMN}}",
        subsequent_indent="# " + " " * _COLUMN,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _plain(text: str) -> str:
    return escaped(masked(text))
