"""Findings and the page they make."""

import textwrap
from collections.abc import Sequence
from typing import Literal, NamedTuple

from sce_video.errors import UserError
from sce_video.plain_text import escaped, masked

Level = Literal["ok", "note", "problem"]

_WIDTH = 100
_MARKS: dict[Level, str] = {"ok": "  ok", "note": "  note", "problem": "! PROBLEM"}
_INDENT = 11


class Finding(NamedTuple):
    """One line of fact; unless it is "ok" also the way out."""

    level: Level
    topic: str
    fact: str
    way_out: str = ""


class Section(NamedTuple):
    title: str
    findings: Sequence[Finding]


def refusal(topic: str, error: UserError, *, level: Level = "problem", otherwise: str = "fix that first") -> Finding:
    """The finding that an error of this package is: its lines end with "; way out", or `otherwise` is."""
    fact, _, way_out = str(error).rpartition("; ")
    return Finding(level, topic, fact, way_out) if fact else Finding(level, topic, way_out, otherwise)


def section_text(section: Section) -> str:
    """The section for a terminal of 100 columns; levels can be told apart without colour."""
    lines = textwrap.wrap(f"== {section.title} ==", _WIDTH)
    for finding in section.findings:
        lines += _wrapped(f"{_MARKS[finding.level]:<{_INDENT}}", f"{finding.topic}: {finding.fact}")
        if finding.way_out:
            lines += _wrapped(" " * _INDENT + "-> ", finding.way_out)
    return "\n".join(lines) + "\n"


def summary_text(findings: Sequence[Finding]) -> str:
    problems, notes, ok = (sum(finding.level == level for finding in findings) for level in ("problem", "note", "ok"))
    return f"{problems} problem{'s' * (problems != 1)}, {notes} note{'s' * (notes != 1)}, {ok} ok"


def _wrapped(start: str, text: str) -> list[str]:
    return textwrap.wrap(
        escaped(masked(text), kept="\n"),
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
    )
