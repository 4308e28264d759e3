"""Workspace: an output folder bound to one source and one action, with the state in `.prepare` to resume a run."""

import dataclasses
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sce_video.engine.prepare.actions import ACTIONS, Action, PrepareError, action_name
from sce_video.engine.prepare.listing import fits_a_line
from sce_video.engine.prepare.naming import WORK_FOLDER
from sce_video.engine.prepare.state_files import checked, parse_json
from sce_video.engine.prepare.target import require_plain_state_files
from sce_video.errors import reason_of
from sce_video.runtime.files import write_json

_SETTINGS = "settings.json"
_LOCK = "lock"
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Workspace:
    """A source folder, its output folder (both resolved paths), and the action for each video."""

    source_dir: Path
    output_dir: Path
    action: Action

    @property
    def state_dir(self) -> Path:
        return self.output_dir / WORK_FOLDER

    def journal_file(self, shard: int) -> Path:
        return self.state_dir / f"shard-{shard:04d}.jsonl"

    @property
    def settings_file(self) -> Path:
        """The settings; the file exists after `begin`."""
        return self.state_dir / _SETTINGS

    @property
    def partial_dir(self) -> Path:
        """Folder of unfinished outputs, on the file system of the finished ones."""
        return self.state_dir / "partial"


def check_folders(source_dir: Path, output_dir: Path) -> tuple[Path, Path]:
    """Resolve source and output folder.

    Raises:
        PrepareError: the source is missing; one folder contains the other, or they are the same, also through links;
            the output folder has files that this program did not write; a name has a control character.
    """
    source, output = source_dir.resolve(), output_dir.resolve()
    for path in (source_dir, source, output_dir, output):
        if not fits_a_line(str(path)):
            raise PrepareError(f"{str(path)!a} has a control character or a line break; give it another name")
    if not source.is_dir():
        raise PrepareError(f"{source_dir} is not a folder; give the one that holds the videos")
    if source == output or output.is_relative_to(source) or source.is_relative_to(output):
        raise PrepareError(f"{output_dir} and {source_dir} overlap ({output}, {source}); give a separate output folder")
    if output.exists() and not output.is_dir():
        raise PrepareError(f"{output_dir} is not a folder; give a new one")
    if not _may_be_ours(output):
        raise PrepareError(f"{output_dir} holds files that prepare_data.py did not write; give a new folder")
    require_plain_state_files(output / WORK_FOLDER)
    return source, output


def _may_be_ours(output: Path) -> bool:
    """Whether the folder is a workspace, new or empty, or only has what a kill before `begin` left."""
    state = output / WORK_FOLDER
    if os.path.lexists(state / _SETTINGS) or not output.is_dir():
        return True
    names = {path.name for path in output.iterdir()}
    if names == {WORK_FOLDER} and state.is_dir():
        names = {path.name for path in state.iterdir()} - {_LOCK, f".{_SETTINGS}.partial"}
    return not names


def open_workspace(source_dir: Path, output_dir: Path, action: Action) -> Workspace:
    """The workspace to begin or resume in an output folder; writes nothing.

    Raises:
        PrepareError: as `check_folders`, or the workspace has other settings.
    """
    workspace = Workspace(*check_folders(source_dir, output_dir), action)
    _require_same_settings(workspace)
    return workspace


def begin(workspace: Workspace) -> Workspace:
    """Bind the output folder to the source and the action permanently; call it after all other checks.

    Raises:
        PrepareError: it was bound to others in the meantime.
    """
    _require_same_settings(workspace)
    if not workspace.settings_file.exists():
        write_json(workspace.settings_file, _settings_of(workspace))
    return workspace


def _settings_of(workspace: Workspace) -> dict[str, Any]:
    action = workspace.action
    return {"source": str(workspace.source_dir), "action": action_name(action), **dataclasses.asdict(action)}


def _require_same_settings(workspace: Workspace) -> None:
    if not workspace.settings_file.exists():
        return
    settings, begun = _settings_of(workspace), _read_settings(workspace.settings_file)
    for key in sorted(settings.keys() | begun.keys()):
        if settings.get(key) != begun.get(key):
            raise PrepareError(
                f"{workspace.output_dir} was begun with {key} {_shortened(begun, key)}, now it is "
                f"{_shortened(settings, key)}; give the same settings or a new folder ({workspace.settings_file} "
                "holds them)"
            )


def _shortened(settings: dict[str, Any], key: str) -> str:
    value = settings.get(key, "not set")
    return value if isinstance(value, str) and fits_a_line(value) else ascii(value)[:200]


def reopen_workspace(output_dir: Path) -> Workspace:
    """The workspace in an output folder, from its settings file.

    Raises:
        PrepareError: the settings are missing or damaged.
    """
    file = output_dir.resolve() / WORK_FOLDER / _SETTINGS
    require_plain_state_files(file.parent)
    settings = _read_settings(file)
    source, action = settings.pop("source", None), settings.pop("action", None)
    if not isinstance(source, str) or not isinstance(action, str) or action not in ACTIONS:
        raise PrepareError(f"{file} is damaged: source is {ascii(source)[:80]}, action is {ascii(action)[:80]}")
    try:
        return Workspace(Path(source), output_dir.resolve(), checked(ACTIONS[action], settings))
    except ValueError as error:
        raise PrepareError(f"{file} is damaged: {error}; give a new folder") from error


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        settings = parse_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise PrepareError(
            f"{file} cannot be read ({reason_of(error)}); is {file.parent.parent} an output folder of prepare_data.py?"
        ) from error
    if not isinstance(settings, dict):
        raise PrepareError(f"{file} holds {type(settings).__name__}, not settings; give a new folder")
    return settings


@contextmanager
def lock_workspace(workspace: Workspace, *, shared: bool) -> Iterator[None]:
    """Lock of a workspace against a second run, shared by the shards; released when this process dies.

    An exclusive lock also deletes unfinished outputs of killed runs. A workspace without `begin` leaves no files.

    Raises:
        PrepareError: another process holds the lock, or its file is not a plain file.
    """
    path = workspace.state_dir / _LOCK
    with _folder_made(workspace.state_dir), _open_lock(path) as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PrepareError(f"another prepare_data.py is running on {workspace.output_dir}; wait for it") from error
        except OSError as error:
            # Some cluster file systems have no locks. A second run there wastes work, but does not damage outputs.
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        if not shared:
            shutil.rmtree(workspace.partial_dir, ignore_errors=True)
        try:
            yield
        finally:
            if not shared and not workspace.settings_file.exists():
                path.unlink(missing_ok=True)


def _open_lock(path: Path) -> TextIO:
    try:
        return os.fdopen(os.open(path, _LOCK_FLAGS, 0o666), "r+")
    except OSError as error:
        raise PrepareError(f"{path} cannot be opened as a plain file ({error.strerror}); move it away") from error


@contextmanager
def _folder_made(folder: Path) -> Iterator[None]:
    """Create a folder with its parents; at the end those created are deleted again if they are empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):  # the first that is not empty
            for path in made:
                path.rmdir()


def journal_files(workspace: Workspace) -> list[Path]:
    return sorted(workspace.state_dir.glob("shard-*.jsonl"))


@contextmanager
def partial_folder(workspace: Workspace, shard: int) -> Iterator[Path]:
    """An empty folder for unfinished outputs, deleted at the end."""
    folder = workspace.partial_dir / f"{shard:04d}"
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed run
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
