"""Preparation of all videos of a worklist that are not done, and writing of manifest and reports."""

import errno
import json
import shutil
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sce_video.engine.pool.isolated import Lost, run_isolated
from sce_video.engine.prepare.actions import Check, PrepareError, check_range
from sce_video.engine.prepare.journal import (
    BROKEN,
    DONE,
    LEFT,
    Journal,
    Planned,
    Record,
    read_journals,
    valid_records,
)
from sce_video.engine.prepare.labels import class_names_text, folder_labels
from sce_video.engine.prepare.one_video import VideoTask, prepare_video
from sce_video.engine.prepare.own_reports import write_own_reports
from sce_video.engine.prepare.summary import make_report, manifest_text, report_text
from sce_video.engine.prepare.target import TakenError, Written, publish, require_free_name
from sce_video.engine.prepare.worklist import Worklist, written_outputs
from sce_video.engine.prepare.workspace import Workspace, journal_files, partial_folder
from sce_video.runtime.progress import progress_bar


@dataclass(frozen=True)
class Limits:
    """Resource limits; they do not affect outputs and may differ between runs on one output folder.

    Args:
        num_workers: processes, one core each.
        timeout_seconds: per video.
        memory_gib: per process; a video that needs more is retried alone, with the memory of all processes.
    """

    num_workers: int
    timeout_seconds: float = 600.0
    memory_gib: float = 2.0

    def __post_init__(self) -> None:
        check_range("--workers", self.num_workers, 1, 1024)
        check_range("--timeout-seconds", self.timeout_seconds, 0.01, 7 * 86_400)
        check_range("--memory-gib", self.memory_gib, 1, 4096)

    @property
    def of_one_alone(self) -> "Limits":
        return replace(self, num_workers=1, memory_gib=min(self.memory_gib * self.num_workers, 4096))


def prepare_videos(
    workspace: Workspace, worklist: Worklist, *, limits: Limits, shard: int, num_shards: int, retry_broken: bool
) -> None:
    """Prepare the videos of one shard (every `num_shards`-th, from index `shard`) that are not done.

    Args:
        retry_broken: also redo broken videos, as after trouble with a disk.
    Raises:
        OSError: outputs cannot be written.
    """
    videos = worklist.videos[shard::num_shards]
    records = list(read_journals(journal_files(workspace)))
    waiting = _not_done(workspace, videos, records, retry_broken=retry_broken)
    progress = progress_bar(total=len(videos), initial=len(videos) - len(waiting), description="prepare", unit="videos")
    num_broken = 0
    with (
        progress,
        partial_folder(workspace, shard) as folder,
        Journal(workspace.journal_file(shard)) as journal,
        closing(_outcomes(workspace, waiting, folder, limits)) as outcomes,
    ):
        written = written_outputs(records)
        for task, record in outcomes:
            _commit(workspace, task, record, journal, written)
            shutil.rmtree(task.partial_dir, ignore_errors=True)
            num_broken += record.status == BROKEN
            progress.set_postfix(broken=num_broken, refresh=False)
            progress.update()


def _outcomes(
    workspace: Workspace, videos: Sequence[Planned], partial_dir: Path, limits: Limits
) -> Generator[tuple[VideoTask, Record], None, None]:
    """Records of all videos; those that ran out of memory or crashed are retried last, one at a time."""
    again: list[Planned] = []
    with closing(_isolated(workspace, videos, partial_dir / "first", limits)) as outcomes:
        for task, outcome in outcomes:
            if isinstance(outcome, Lost) and outcome.cause != "time":
                shutil.rmtree(task.partial_dir, ignore_errors=True)
                again.append(task.video)
            else:
                yield task, _as_record(task.video, outcome)
    with closing(_isolated(workspace, again, partial_dir / "again", limits.of_one_alone)) as outcomes:
        for task, outcome in outcomes:
            yield task, _as_record(task.video, outcome)


def _isolated(
    workspace: Workspace, videos: Sequence[Planned], partial_dir: Path, limits: Limits
) -> Generator[tuple[VideoTask, Record | Lost], None, None]:
    partial_dir.mkdir()
    tasks = (
        VideoTask(video, workspace.source_dir, partial_dir / str(number), workspace.action)
        for number, video in enumerate(videos)
    )
    memory_bytes = int(limits.memory_gib * 2**30)
    with closing(
        run_isolated(
            prepare_video,
            tasks,
            num_workers=limits.num_workers,
            timeout_seconds=limits.timeout_seconds,
            memory_bytes=memory_bytes,
        )
    ) as outcomes:
        yield from outcomes


def _as_record(video: Planned, outcome: Record | Lost) -> Record:
    if not isinstance(outcome, Lost):
        return outcome
    if outcome.cause != "memory":
        return Record.of(video, BROKEN, reason=outcome.reason)
    return Record.of(video, LEFT, reason=f"too little memory, not the video's fault: {outcome.reason}")


# Errors that concern one name only; others, such as a full disk, end the run.
_NAME_TROUBLE = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_NAME_TROUBLE |= {errno.ENOTEMPTY, errno.ELOOP, errno.EXDEV, errno.EACCES, errno.EPERM}


def _commit(
    workspace: Workspace, task: VideoTask, record: Record, journal: Journal, written: Mapping[str, Collection[Written]]
) -> None:
    """Write the record, then publish the output: even after a kill no output lacks its record."""
    if record.status != DONE or isinstance(workspace.action, Check):
        journal.write(record)
        return
    try:
        require_free_name(workspace.output_dir, record.output, written.get(record.output, ()))
        journal.write(record)
        _publish(workspace, task, record)
    except TakenError as error:
        journal.write(Record.of(task.video, LEFT, reason=f"{error}; move it away"))


def _publish(workspace: Workspace, task: VideoTask, record: Record) -> None:
    try:
        publish(task.partial, workspace.output_dir, record.output)
    except OSError as error:
        if error.errno not in _NAME_TROUBLE:
            raise
        raise TakenError(f"{record.output} cannot be created in the output folder ({error.strerror})") from error


def _not_done(
    workspace: Workspace, videos: Sequence[Planned], records: Sequence[Record], *, retry_broken: bool
) -> list[Planned]:
    """Videos to prepare, new ones first: a job that is killed repeatedly must not spend all its time on retries."""
    valid = valid_records(records, videos, workspace.output_dir, workspace.action)
    again = {LEFT, BROKEN} if retry_broken else {LEFT}
    new = [video for video in videos if video.source not in valid]
    return new + [video for video in videos if video.source in valid and valid[video.source].status in again]


def write_manifest_and_reports(
    workspace: Workspace, worklist: Worklist, *, classes: Sequence[str] | None
) -> dict[str, Any]:
    """Write `manifest.tsv`, `report.json`, `report.txt` and `classes.txt`; returns the content of `report.json`.

    Args:
        classes: names of the class folders in the order of their labels; None for no labels.
    Raises:
        PrepareError: a video is not done yet, or is in none of these folders.
    """
    records = read_journals(journal_files(workspace))
    valid = valid_records(records, worklist.videos, workspace.output_dir, workspace.action)
    missing = [video.source for video in worklist.videos if video.source not in valid]
    if missing:
        raise PrepareError(
            f"{len(missing)} of {len(worklist.videos)} videos are not done yet, such as {missing[0]}; "
            "run again without --finish, or wait for the Slurm jobs"
        )
    labels = None if classes is None else folder_labels([video.source for video in worklist.videos], classes)
    report = make_report(workspace, list(valid.values()), worklist.skipped, classes)
    texts = {
        "manifest.tsv": manifest_text([record for record in valid.values() if record.status == DONE], labels),
        "classes.txt": None if classes is None else class_names_text(classes),
        "report.txt": report_text(report),
        "report.json": json.dumps(report, indent=2) + "\n",
    }
    write_own_reports(workspace, texts)
    return report
