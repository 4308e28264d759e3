"""The output folder: what may be one, whose it is, and the notes in its `.prepare` that make a run resumable."""

import dataclasses
import errno
import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sce_video.data.prepare.journal import Planned, read_journals
from sce_video.data.prepare.listing import WORK_FOLDER, Skipped, list_videos, name_outputs
from sce_video.data.prepare.settings import ACTIONS, Action, Check, PrepareError, Transcode, action_name
from sce_video.runtime.files import write_json, write_text


@dataclass(frozen=True)
class Workspace:
    """A source folder, the folder that its outputs go to, and what is made of each video; both paths are real."""

    source_dir: Path
    output_dir: Path
    action: Action

    @property
    def notes_dir(self) -> Path:
        return self.output_dir / WORK_FOLDER

    def journal_file(self, shard: int) -> Path:
        return self.notes_dir / f"shard-{shard:04d}.jsonl"

    @property
    def partial_dir(self) -> Path:
        """Where unfinished outputs lie, out of the way of the finished ones and on their file system."""
        return self.notes_dir / "partial"


@dataclass(frozen=True)
class Plan:
    """What a source folder held when it was last listed."""

    videos: Sequence[Planned]
    skipped: Sequence[Skipped]


def check_folders(source_dir: Path, output_dir: Path) -> tuple[Path, Path]:
    """Their real paths.

    Raises:
        PrepareError: no source folder; one lies in the other, or both are one, also through links; an output folder
            with files that this program did not write.
    """
    source, output = source_dir.resolve(), output_dir.resolve()
    if not source.is_dir():
        raise PrepareError(f"{source_dir} is not a folder; give the one that holds the videos")
    if source == output or output.is_relative_to(source) or source.is_relative_to(output):
        raise PrepareError(f"{output_dir} and {source_dir} overlap ({output}, {source}); write to a folder apart")
    if output.exists() and not output.is_dir():
        raise PrepareError(f"{output_dir} is not a folder; give a new one")
    if output.is_dir() and not (output / WORK_FOLDER).is_dir() and any(output.iterdir()):
        raise PrepareError(f"{output_dir} holds files that prepare_data.py did not write; give a new folder")
    return source, output


def open_workspace(source_dir: Path, output_dir: Path, action: Action) -> Workspace:
    """Make the output folder, or go on in it.

    Raises:
        PrepareError: as `check_folders`, or the folder was begun with other settings.
    """
    source, output = check_folders(source_dir, output_dir)
    workspace = Workspace(source, output, action)
    settings_file = workspace.notes_dir / "settings.json"
    settings = {"source": str(source), "action": action_name(action), **dataclasses.asdict(action)}
    if not settings_file.exists():
        write_json(settings_file, settings)
        return workspace
    begun = _read_settings(settings_file)
    for key in sorted(settings.keys() | begun.keys()):
        if settings.get(key) != begun.get(key):
            raise PrepareError(
                f"{output_dir} was begun with {key} {begun.get(key)}, now it is {settings.get(key)}; "
                f"give the same settings or a new folder ({settings_file} holds them)"
            )
    return workspace


def reopen_workspace(output_dir: Path) -> Workspace:
    """The workspace of a folder that was begun before.

    Raises:
        PrepareError: it was not.
    """
    settings = _read_settings(output_dir.resolve() / WORK_FOLDER / "settings.json")
    source, action = settings.pop("source"), settings.pop("action")
    return Workspace(Path(source), output_dir.resolve(), ACTIONS[action](**settings))


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrepareError(f"{file} cannot be read ({error}); was {file.parent.parent} begun at all?") from error
    assert isinstance(settings, dict)
    return settings


@contextmanager
def locked(workspace: Workspace, *, shared: bool) -> Iterator[None]:
    """Keep a second run out; shards share. Held by this process alone, so that its death frees it.

    Whoever does not share may tidy up: what killed runs left unfinished is deleted.

    Raises:
        PrepareError: another process holds it.
    """
    with (workspace.notes_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PrepareError(f"another prepare_data.py is at work on {workspace.output_dir}; wait for it") from error
        except OSError as error:
            # Some cluster file systems cannot lock. A second run there wastes work; outputs stay whole.
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        if not shared:
            shutil.rmtree(workspace.partial_dir, ignore_errors=True)
        yield


def make_plan(workspace: Workspace, *, follow_outside: bool) -> Plan:
    """List the source folder and note down what was found; outputs keep the names of an earlier listing."""
    found, skipped = list_videos(workspace.source_dir, workspace.output_dir, follow_outside=follow_outside)
    if isinstance(workspace.action, Check):
        outputs = {video.source: video.source for video in found}
    else:
        suffix = ".mp4" if isinstance(workspace.action, Transcode) else ""
        earlier = {record.source: record.output for record in read_journals(journal_files(workspace))}
        outputs = name_outputs([video.source for video in found], suffix=suffix, earlier=earlier)
    plan = Plan([Planned(video.source, video.size, video.mtime_ns, outputs[video.source]) for video in found], skipped)
    notes = {"videos": list(map(dataclasses.astuple, plan.videos)), "skipped": list(map(dataclasses.astuple, skipped))}
    write_text(workspace.notes_dir / "plan.json", json.dumps(notes))
    return plan


def read_plan(workspace: Workspace) -> Plan:
    """The plan of the last listing.

    Raises:
        PrepareError: there is none.
    """
    file = workspace.notes_dir / "plan.json"
    try:
        notes = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrepareError(f"{file} cannot be read ({error}); run without --finish first") from error
    return Plan([Planned(*video) for video in notes["videos"]], [Skipped(*left) for left in notes["skipped"]])


def journal_files(workspace: Workspace) -> list[Path]:
    return sorted(workspace.notes_dir.glob("shard-*.jsonl"))


@contextmanager
def partial_folder(workspace: Workspace, shard: int) -> Iterator[Path]:
    """A folder for unfinished outputs, empty at first and gone in the end."""
    folder = workspace.partial_dir / f"{shard:04d}"
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run has left
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
