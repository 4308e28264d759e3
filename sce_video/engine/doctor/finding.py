"""Findings, and their page as text."""

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
    """One line of fact; unless it is "ok", also a fix."""

    level: Level
    topic: str
    fact: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        return {"level": self.level, "topic": self.topic, "fact": self.fact, "way_out": self.fix}


class PageSection(NamedTuple):
    title: str
    findings: Sequence[Finding]


def refusal(topic: str, error: UserError, *, level: Level = "problem", otherwise: str = "fix this first") -> Finding:
    """An error as a finding: the part of its line after the last "; " is the fix; without one it is `otherwise`."""
    fact, _, fix = str(error).rpartition("; ")
    return Finding(level, topic, fact, fix) if fact else Finding(level, topic, fix, otherwise)


def section_text(section: PageSection) -> str:
    """The section for a terminal of 100 columns; levels differ without colour."""
    lines = textwrap.wrap(f"== {section.title} ==", _WIDTH)
    for finding in section.findings:
        lines += _wrapped(f"{_MARKS[finding.level]:<{_INDENT}}", f"{finding.topic}: {finding.fact}")
        if finding.fix:
            lines += _wrapped(" " * _INDENT + "-> ", finding.fix)
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
