"""Contents of `manifest.tsv`, for training, and of `report.json` and `report.txt`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import av

from sce_video.engine.prepare.journal import BROKEN, DONE, LEFT, SHORT, Record
from sce_video.engine.prepare.listing import Skipped
from sce_video.engine.prepare.workspace import Workspace

COLUMNS = ("path", "label", "duration_seconds", "fps", "height", "width", "num_frames", "bytes", "sha256")


def manifest_text(records: Sequence[Record], labels: Mapping[str, int] | None) -> str:
    """Tab-separated `COLUMNS`, one line per output, sorted by path; `label` is empty without labels."""
    lines = ["\t".join(COLUMNS)]
    for record in sorted(records, key=lambda record: record.output):
        label = "" if labels is None else str(labels[record.source])
        seconds, fps = f"{record.duration_seconds:.6f}", f"{record.fps:.6f}"
        numbers = (record.height, record.width, record.num_frames, record.bytes)
        lines.append("\t".join([record.output, label, seconds, fps, *map(str, numbers), record.sha256]))
    return "\n".join(lines) + "\n"


def make_report(
    workspace: Workspace, records: Sequence[Record], skipped: Sequence[Skipped], classes: Sequence[str] | None
) -> dict[str, Any]:
    """Content of `report.json`; `classes` is copied into it."""
    in_order = sorted(records, key=lambda record: record.source)
    done = [record for record in in_order if record.status == DONE]
    report: dict[str, Any] = {
        "source": str(workspace.source_dir),
        "settings": {"action": type(workspace.action).__name__.lower(), **vars(workspace.action)},
        "pyav": av.__version__,
        "classes": classes,
        "broken": [_line(record) for record in in_order if record.status == BROKEN],
        "too_short": [_line(record) for record in in_order if record.status == SHORT],
        "left_out": [_line(record) for record in in_order if record.status == LEFT],
        "incomplete": [_line(record) for record in done if record.reason],
        "skipped": [{"path": left.source, "reason": left.reason} for left in skipped],
        "duplicates": _duplicates(in_order),
        "renamed": [
            {"path": source, "output": output}
            for source, output in renamed((record.source, record.output) for record in done)
        ],
        "totals": {
            "num_frames": sum(record.num_frames for record in done),
            "num_frames_lost": sum(record.num_lost for record in done),
            "duration_seconds": round(sum(record.duration_seconds for record in done), 3),
            "source_bytes": sum(record.size for record in done),
            "bytes": sum(record.bytes for record in done),
        },
    }
    lists = ("broken", "too_short", "left_out", "incomplete", "skipped", "duplicates", "renamed")
    report["counts"] = {"found": len(in_order), "done": len(done), **{name: len(report[name]) for name in lists}}
    return report


def renamed(outputs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs (source, output) that differ by more than their suffix."""
    return [
        (source, output)
        for source, output in outputs
        if output not in (source, stem := str(PurePosixPath(source).with_suffix("")), f"{stem}.mp4")
    ]


def _line(record: Record) -> dict[str, str]:
    return {"path": record.source, "reason": record.reason}


def _duplicates(records: Sequence[Record]) -> list[list[str]]:
    """Groups of two or more sources with the same content."""
    by_content: dict[str, list[str]] = {}
    for record in records:
        if record.source_sha256:
            by_content.setdefault(record.source_sha256, []).append(record.source)
    return [sources for sources in by_content.values() if len(sources) > 1]


def report_text(report: Mapping[str, Any]) -> str:
    """Content of `report.txt`: the report as readable text."""
    counts, totals = report["counts"], report["totals"]
    settings = ", ".join(f"{name} {value}" for name, value in report["settings"].items())
    lines = [
        f"{counts['found']} videos below {_shown(report['source'])}",
        f"{settings}; PyAV {report['pyav']}",
        "",
        f"{counts['done']:>9} done: {totals['duration_seconds'] / 3600:.2f} hours, {totals['num_frames']} frames, "
        f"{totals['source_bytes'] / 1e9:.3f} GB before, {totals['bytes'] / 1e9:.3f} GB after",
        f"{counts['broken']:>9} broken",
        f"{counts['too_short']:>9} too short",
        f"{counts['left_out']:>9} left out, through no fault of their own; the next run retries them",
        f"{counts['incomplete']:>9} of those done lack frames: {totals['num_frames_lost']} in all",
        f"{counts['skipped']:>9} skipped: not read, and not counted above",
        f"{counts['duplicates']:>9} groups of files with the same content; all of them are in the manifest",
    ]
    for title in ("broken", "too_short", "left_out", "incomplete", "skipped"):
        lines += _section(title, [f"{_shown(line['path'])}: {line['reason']}" for line in report[title]])
    lines += _section("duplicates", [" = ".join(map(_shown, group)) for group in report["duplicates"]])
    lines += _section("renamed", [f"{_shown(line['path'])} -> {_shown(line['output'])}" for line in report["renamed"]])
    return "\n".join(lines) + "\n"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title.replace("_", " ").upper(), *lines] if lines else []


def _shown(path: str) -> str:
    """A path in one line; quoted if it has line breaks or invalid UTF-8."""
    return path if path.isprintable() else json.dumps(path)
