"""Limit on requeues without progress, recorded in the run's folder across starts."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sce_video.engine.cluster.env import slurm_job
from sce_video.launch.program import say
from sce_video.runtime.checkpoints import newest_below
from sce_video.runtime.files import write_json
from sce_video.special_files import read_small_file

# In a row, after the loss of a process, without a new checkpoint.
_MOST_WITHOUT_PROGRESS = 3
_RECORD = "requeues.json"
_MOST_RECORD_BYTES = 2**16


def is_worth_a_requeue(output_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to requeue: False, with a message, after three requeues in a row without a new checkpoint.

    The first process of a start that asks keeps the answer for the others.
    """
    file, job = output_dir / _RECORD, slurm_job(environ)
    before: dict[str, Any] = {"restart": None, "checkpoint": None, "without_progress": 0}
    with suppress(Exception):  # the border: a record that cannot be read is none
        kept = {**before, **json.loads(read_small_file(file, most_bytes=_MOST_RECORD_BYTES))}
        if kept.get("job") == job["job"] and type(kept["without_progress"]) is int:
            before = kept
    in_vain: int = before["without_progress"]
    if job["restart"] != before["restart"]:
        with suppress(OSError):  # a full disk; 100 requeues are the bound then
            newest = newest_below(output_dir)
            in_vain = in_vain + 1 if newest == before["checkpoint"] else 0
            write_json(file, {**job, "checkpoint": newest, "without_progress": in_vain})
        if in_vain >= _MOST_WITHOUT_PROGRESS:
            losses = f"{in_vain + 1} times without a new checkpoint in between"
            say(f"the job has lost a process {losses}; it is not requeued")
    return in_vain < _MOST_WITHOUT_PROGRESS
