"""Manifest and reports in the output folder: written over their own last version, never over a foreign file."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from sce_video.engine.prepare.naming import REPORTS
from sce_video.engine.prepare.notes import read_json
from sce_video.engine.prepare.settings import PrepareError
from sce_video.engine.prepare.target import sha256_of
from sce_video.engine.prepare.workspace import Workspace
from sce_video.runtime.files import write_json, write_text


def require_own_reports(workspace: Workspace) -> None:
    """To be called before the work begins.

    Raises:
        PrepareError: the output folder has a file or a folder of such a name that this program did not write.
    """
    digests = _digests(workspace)
    for name in REPORTS:
        path = workspace.output_dir / name
        if os.path.lexists(path) and not _is_own(path, digests.get(name, [])):
            raise PrepareError(
                f"{path} was not written by prepare_data.py, or was changed since; move it away, its name is needed"
            )


def write_own_reports(workspace: Workspace, texts: Mapping[str, str | None]) -> None:
    """Write each; None: without it there is no such file afterwards.

    Raises:
        PrepareError: as `require_own_reports`.
    """
    require_own_reports(workspace)
    digests = _digests(workspace)
    coming = {
        name: hashlib.sha256(text.encode("utf-8")).hexdigest() for name, text in texts.items() if text is not None
    }
    # Noted first, beside the last ones: a kill between the two leaves nothing that is not known.
    notes = {name: [*digests.get(name, [])[-8:], *([coming[name]] if name in coming else [])] for name in REPORTS}
    write_json(_notes_file(workspace), notes)
    for name, text in texts.items():
        if text is None:
            (workspace.output_dir / name).unlink(missing_ok=True)
        else:
            unnamed = workspace.notes_dir / f"{name}.partial"
            write_text(unnamed, text)
            os.replace(unnamed, workspace.output_dir / name)
    write_json(_notes_file(workspace), {name: [digest] for name, digest in coming.items()})


def _is_own(path: Path, digests: list[str]) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and sha256_of(path) in digests
    except OSError:
        return False


def _notes_file(workspace: Workspace) -> Path:
    return workspace.notes_dir / "reports.json"


def _digests(workspace: Workspace) -> dict[str, list[str]]:
    """File -> digests that it may have; nothing where that is not known any more."""
    try:
        notes = read_json(_notes_file(workspace).read_bytes())
    except (OSError, ValueError):
        return {}
    is_whole = isinstance(notes, dict) and all(isinstance(digests, list) for digests in notes.values())
    return notes if is_whole else {}
