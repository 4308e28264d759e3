"""Writing of manifest and reports to the output folder; they replace their last version, never a foreign file."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from sce_video.engine.prepare.actions import PrepareError
from sce_video.engine.prepare.naming import REPORTS
from sce_video.engine.prepare.state_files import parse_json
from sce_video.engine.prepare.target import sha256_of
from sce_video.engine.prepare.workspace import Workspace
from sce_video.runtime.files import write_json, write_text


def require_own_reports(workspace: Workspace) -> None:
    """Check that no foreign file has the name of a report; to be called before the work begins.

    Raises:
        PrepareError: one has.
    """
    digests = _digests(workspace)
    for name in REPORTS:
        path = workspace.output_dir / name
        if os.path.lexists(path) and not _is_own(path, digests.get(name, [])):
            raise PrepareError(
                f"{path} was not written by prepare_data.py, or was changed since; move it away to free its name"
            )


def write_own_reports(workspace: Workspace, texts: Mapping[str, str | None]) -> None:
    """Write each report; None deletes it.

    Raises:
        PrepareError: as `require_own_reports`.
    """
    require_own_reports(workspace)
    digests = _digests(workspace)
    new = {name: hashlib.sha256(text.encode("utf-8")).hexdigest() for name, text in texts.items() if text is not None}
    # New digests are saved first, beside the old ones, so that a kill in between leaves no unknown file.
    state = {name: [*digests.get(name, [])[-8:], *([new[name]] if name in new else [])] for name in REPORTS}
    write_json(_digests_file(workspace), state)
    for name, text in texts.items():
        if text is None:
            (workspace.output_dir / name).unlink(missing_ok=True)
        else:
            partial = workspace.state_dir / f"{name}.partial"
            write_text(partial, text)
            os.replace(partial, workspace.output_dir / name)
    write_json(_digests_file(workspace), {name: [digest] for name, digest in new.items()})


def _is_own(path: Path, digests: list[str]) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and sha256_of(path) in digests
    except OSError:
        return False


def _digests_file(workspace: Workspace) -> Path:
    return workspace.state_dir / "reports.json"


def _digests(workspace: Workspace) -> dict[str, list[str]]:
    """File -> digests that this program may have given it; empty where the state file is missing or damaged."""
    try:
        state = parse_json(_digests_file(workspace).read_bytes())
    except (OSError, ValueError):
        return {}
    is_whole = isinstance(state, dict) and all(isinstance(digests, list) for digests in state.values())
    return state if is_whole else {}
