"""Worklist: the videos to prepare and the names of their outputs, saved in `plan.json` for other processes."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sce_video.engine.prepare.actions import Check, Frames, PrepareError
from sce_video.engine.prepare.journal import DONE, Planned, Record, read_journals, require_inside
from sce_video.engine.prepare.listing import Found, Skipped, list_videos
from sce_video.engine.prepare.naming import name_outputs, num_bytes
from sce_video.engine.prepare.state_files import checked, parse_json
from sce_video.engine.prepare.target import Target, Written
from sce_video.engine.prepare.workspace import Workspace, journal_files
from sce_video.errors import reason_of
from sce_video.runtime.files import write_text

# Room in a path for frame names inside an output, and for a longer root when the output is read elsewhere.
_SPARE_PATH_BYTES = 32


@dataclass(frozen=True)
class Worklist:
    """The listing of a source folder.

    Args:
        invalid_lines: of the journals, each as "FILE line N: why".
    """

    videos: Sequence[Planned]
    skipped: Sequence[Skipped]
    invalid_lines: Sequence[str] = dataclasses.field(default=(), compare=False)


def make_worklist(workspace: Workspace, *, follow_outside: bool) -> Worklist:
    """List the source folder and name the outputs, as in an earlier listing where possible. Writes nothing."""
    found, skipped = list_videos(workspace.source_dir, workspace.output_dir, follow_outside=follow_outside)
    invalid_lines: list[str] = []
    records = list(read_journals(journal_files(workspace), invalid_lines=invalid_lines))
    if isinstance(workspace.action, Check):
        outputs = {video.source: video.source for video in found}
    else:
        outputs, unnamed = _outputs(workspace, [video.source for video in found], records)
        skipped = sorted([*skipped, *unnamed], key=lambda left: left.source)
    return Worklist(_planned(found, outputs), skipped, invalid_lines)


def write_worklist(workspace: Workspace, worklist: Worklist) -> None:
    """Save a worklist for `read_worklist`."""
    state = {
        "videos": list(map(dataclasses.asdict, worklist.videos)),
        "skipped": list(map(dataclasses.asdict, worklist.skipped)),
    }
    write_text(workspace.state_dir / "plan.json", json.dumps(state))


def _planned(found: Sequence[Found], outputs: Mapping[str, str]) -> list[Planned]:
    return [
        Planned(video.source, video.size, video.mtime_ns, outputs[video.source])
        for video in found
        if video.source in outputs
    ]


def _outputs(
    workspace: Workspace, sources: Sequence[str], records: Sequence[Record]
) -> tuple[dict[str, str], list[Skipped]]:
    """Source -> output, and the sources that cannot be given a name."""
    folder = workspace.output_dir
    max_name_bytes, max_path_bytes = _limit(folder, "PC_NAME_MAX", 255), _limit(folder, "PC_PATH_MAX", 4096)
    target = Target(folder, written_outputs(records))
    names = name_outputs(
        sources,
        suffix="" if isinstance(workspace.action, Frames) else ".mp4",
        earlier={record.source: record.output for record in records},
        max_name_bytes=max_name_bytes,
        is_free=target.is_free,
    )
    outputs, unnamed = {}, []
    for source, name in names.items():
        parent = PurePosixPath(name).parent
        reason = target.blocked(str(parent))
        if any(num_bytes(part) > max_name_bytes for part in parent.parts):
            reason = f"the name of its folder is too long for the output folder's disk ({max_name_bytes} bytes)"
        elif num_bytes(str(folder / name)) + _SPARE_PATH_BYTES > max_path_bytes:
            reason = f"its path is too long for the output folder's disk ({max_path_bytes} bytes)"
        elif reason is not None:
            reason = f"{reason} in the output folder; move it away"
        if reason is None:
            outputs[source] = name
        else:
            unnamed.append(Skipped(source, reason))
    return outputs, unnamed


def written_outputs(records: Sequence[Record]) -> dict[str, set[Written]]:
    """Output -> what any run wrote under that name."""
    written: dict[str, set[Written]] = {}
    for record in records:
        if record.status == DONE:
            written.setdefault(record.output, set()).add(record.written)
    return written


def _limit(folder: Path, name: str, usual: int) -> int:
    try:
        limit = os.pathconf(folder, name)
    except OSError:
        return usual
    return max(limit, 64) if limit > 0 else usual


def read_worklist(workspace: Workspace) -> Worklist:
    """The saved worklist.

    Raises:
        PrepareError: it is missing or damaged.
    """
    file = workspace.state_dir / "plan.json"
    try:
        state = parse_json(file.read_bytes())
        if not isinstance(state, dict) or not all(isinstance(state.get(key), list) for key in ("videos", "skipped")):
            raise ValueError("it holds no lists of videos and of skipped files")
        videos = [checked(Planned, video) for video in state["videos"]]
        for video in videos:
            require_inside("source", video.source)
            require_inside("output", video.output)
        return Worklist(videos, [_skipped(left) for left in state["skipped"]])
    except (OSError, ValueError) as error:
        raise PrepareError(f"{file} cannot be read ({reason_of(error)}); run without --finish first") from error


def _skipped(values: object) -> Skipped:
    """A `Skipped` from JSON; unlike a video's, its path may be invalid UTF-8."""
    if not isinstance(values, dict) or values.keys() != {"source", "reason"}:
        raise ValueError(f"{ascii(values)[:80]} is not a skipped file")
    if not all(isinstance(value, str) for value in values.values()):
        raise ValueError(f"{ascii(values)[:80]} is not a skipped file")
    return Skipped(**values)
