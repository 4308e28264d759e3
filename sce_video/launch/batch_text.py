"""Checks of strings that go into a batch script, so that none can add a line to it."""

import re
from collections.abc import Mapping

from sce_video.errors import UserError
from sce_video.plain_text import escaped, needs_escape

_NAME_OF_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def require_plain(texts: Mapping[str, str]) -> None:
    """Refuse line ends and other control characters.

    Slurm reads `#SBATCH` line by line and knows no quotes that go on in the next one; bash would run the rest.

    Args:
        texts: what goes into a script or into the config of its job, by what it is called.
    Raises:
        UserError: one has such a character.
    """
    for name, text in texts.items():
        found = next(filter(needs_escape, text), None)
        if found is not None:
            raise UserError(f"{name} is '{escaped(text)}'; take the control character '{escaped(found)}' out")


def require_parameter_names(names: Mapping[str, object]) -> None:
    """Raises UserError for what is no parameter of sbatch, or more than one."""
    for name in names:
        if not _NAME_OF_PARAMETER.fullmatch(name):
            raise UserError(f"--sbatch {escaped(name)} is no NAME=VALUE; NAME is a parameter of sbatch, such as qos")
