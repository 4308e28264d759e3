"""Checks of strings that go into a batch script, so that none can add a line to it."""

import re
from collections.abc import Mapping

from sce_video.errors import UserError
from sce_video.plain_text import escaped, needs_escape

_PARAMETER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def require_plain(texts: Mapping[str, str]) -> None:
    """Refuse line ends and other control characters.

    Slurm's `#SBATCH` lines have no quotes that span lines; bash would run the rest.

    Args:
        texts: name -> text that goes into a script or into the config of its job.
    Raises:
        UserError: one has such a character.
    """
    for name, text in texts.items():
        found = next(filter(needs_escape, text), None)
        if found is not None:
            raise UserError(f"{name} is '{escaped(text)}'; remove the control character '{escaped(found)}'")


def require_parameter_names(names: Mapping[str, object]) -> None:
    """Raises UserError for a text that is not the name of one sbatch parameter."""
    for name in names:
        if not _PARAMETER_NAME.fullmatch(name):
            raise UserError(f"--sbatch '{escaped(name)}' is not NAME=VALUE; NAME is a parameter of sbatch, such as qos")
