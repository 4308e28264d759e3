"""Limit on consecutive requeues without progress, counted in the run's folder."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sce_video.engine.cluster.env import slurm_job
from sce_video.launch.program import print_message
from sce_video.runtime.checkpoints import newest_below
from sce_video.runtime.files import write_json
from sce_video.special_files import read_small_file

# Consecutive requeues after the loss of a process, without a new checkpoint.
_MAX_WITHOUT_PROGRESS = 3
_RECORD = "requeues.json"
_MAX_RECORD_BYTES = 2**16


def may_requeue(output_dir: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to requeue: False, with a message, after three requeues in a row without a new checkpoint.

    The first process that calls it after a start records the answer for the others.
    """
    file, job = output_dir / _RECORD, slurm_job(environ)
    before: dict[str, Any] = {"restart": None, "checkpoint": None, "without_progress": 0}
    with suppress(Exception):  # an unreadable record counts as none
        kept = {**before, **json.loads(read_small_file(file, most_bytes=_MAX_RECORD_BYTES))}
        if kept.get("job") == job["job"] and type(kept["without_progress"]) is int:
            before = kept
    count: int = before["without_progress"]
    if job["restart"] != before["restart"]:
        with suppress(OSError):  # a full disk; then only the limit of 100 requeues holds
            newest = newest_below(output_dir)
            count = count + 1 if newest == before["checkpoint"] else 0
            write_json(file, {**job, "checkpoint": newest, "without_progress": count})
        if count >= _MAX_WITHOUT_PROGRESS:
            losses = f"{count + 1} times without a new checkpoint in between"
            print_message(f"the job has lost a process {losses}; it is not requeued")
    return count < _MAX_WITHOUT_PROGRESS
