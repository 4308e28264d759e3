"""Work through a list of videos, as far as they are not done, and write manifest and reports."""

import errno
import json
import shutil
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sce_video.engine.pool.isolated import Lost, run_isolated
from sce_video.engine.prepare.journal import (
    BROKEN,
    DONE,
    LEFT,
    Journal,
    Planned,
    Record,
    believed_records,
    read_journals,
)
from sce_video.engine.prepare.labels import class_names_text, folder_labels
from sce_video.engine.prepare.one_video import Job, prepare_video
from sce_video.engine.prepare.own_reports import write_own_reports
from sce_video.engine.prepare.settings import Check, PrepareError, check_range
from sce_video.engine.prepare.summary import make_report, manifest_text, report_text
from sce_video.engine.prepare.target import TakenError, Written, publish, require_free_name
from sce_video.engine.prepare.worklist import Worklist, written_outputs
from sce_video.engine.prepare.workspace import Workspace, journal_files, partial_folder
from sce_video.runtime.progress import progress_bar


@dataclass(frozen=True)
class Limits:
    """Of a run, none of its outputs: they may change from one run to the next.

    Args:
        num_workers: processes, one core each.
        timeout_seconds: that a video may take before it is given up.
        memory_gib: that a process may take; a video that needs more is tried again alone, with that of all processes.
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


def work_through(
    workspace: Workspace, worklist: Worklist, *, limits: Limits, shard: int, num_shards: int, retry_broken: bool
) -> None:
    """Prepare what is not done of every `num_shards`-th video, from the `shard`-th on.

    Args:
        retry_broken: do those again that were broken, as after trouble with a disk.
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
        for job, record in outcomes:
            _write_down(workspace, job, record, journal, written)
            shutil.rmtree(job.partial_dir, ignore_errors=True)
            num_broken += record.status == BROKEN
            progress.set_postfix(broken=num_broken, refresh=False)
            progress.update()


def _outcomes(
    workspace: Workspace, videos: Sequence[Planned], partial_dir: Path, limits: Limits
) -> Generator[tuple[Job, Record], None, None]:
    """In the end once more, one at a time and with the memory of all, those that had too little or crashed."""
    again: list[Planned] = []
    with closing(_isolated(workspace, videos, partial_dir / "first", limits)) as outcomes:
        for job, outcome in outcomes:
            if isinstance(outcome, Lost) and outcome.cause != "time":
                shutil.rmtree(job.partial_dir, ignore_errors=True)
                again.append(job.video)
            else:
                yield job, _as_record(job.video, outcome)
    with closing(_isolated(workspace, again, partial_dir / "again", limits.of_one_alone)) as outcomes:
        for job, outcome in outcomes:
            yield job, _as_record(job.video, outcome)


def _isolated(
    workspace: Workspace, videos: Sequence[Planned], partial_dir: Path, limits: Limits
) -> Generator[tuple[Job, Record | Lost], None, None]:
    partial_dir.mkdir()
    jobs = (
        Job(video, workspace.source_dir, partial_dir / str(number), workspace.action)
        for number, video in enumerate(videos)
    )
    memory_bytes = int(limits.memory_gib * 2**30)
    with closing(
        run_isolated(
            prepare_video,
            jobs,
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
    return Record.of(video, LEFT, reason=f"too little memory, which says nothing of the video: {outcome.reason}")


# Of a name that a disk does not take; a full disk is no matter of names, and ends the run.
_NAME_TROUBLE = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
_NAME_TROUBLE |= {errno.ENOTEMPTY, errno.ELOOP, errno.EXDEV, errno.EACCES, errno.EPERM}


def _write_down(
    workspace: Workspace, job: Job, record: Record, journal: Journal, written: Mapping[str, Collection[Written]]
) -> None:
    """The record first, then the output's name: so what a kill leaves under that name is known as this program's."""
    if record.status != DONE or isinstance(workspace.action, Check):
        journal.write(record)
        return
    try:
        require_free_name(workspace.output_dir, record.output, written.get(record.output, ()))
        journal.write(record)
        _publish(workspace, job, record)
    except TakenError as error:
        journal.write(Record.of(job.video, LEFT, reason=f"{error}; move that away"))


def _publish(workspace: Workspace, job: Job, record: Record) -> None:
    try:
        publish(job.partial, workspace.output_dir, record.output)
    except OSError as error:
        if error.errno not in _NAME_TROUBLE:
            raise
        raise TakenError(f"{record.output} cannot be made in the output folder ({error.strerror})") from error


def _not_done(
    workspace: Workspace, videos: Sequence[Planned], records: Sequence[Record], *, retry_broken: bool
) -> list[Planned]:
    """Those never tried first: a job that is ended again and again must not spend all of its time on the others."""
    believed = believed_records(records, videos, workspace.output_dir, workspace.action)
    again = {LEFT, BROKEN} if retry_broken else {LEFT}
    new = [video for video in videos if video.source not in believed]
    return new + [video for video in videos if video.source in believed and believed[video.source].status in again]


def _believed(workspace: Workspace, videos: Sequence[Planned]) -> dict[str, Record]:
    records = read_journals(journal_files(workspace))
    return believed_records(records, videos, workspace.output_dir, workspace.action)


def write_results(workspace: Workspace, worklist: Worklist, *, classes: Sequence[str] | None) -> dict[str, Any]:
    """Write `manifest.tsv`, `report.json`, `report.txt` and `classes.txt`; returns what stands in the report.

    Args:
        classes: the names of the class folders in the order of their labels; None gives no labels.
    Raises:
        PrepareError: videos that are not done yet, or one that lies in none of these folders.
    """
    believed = _believed(workspace, worklist.videos)
    missing = [video.source for video in worklist.videos if video.source not in believed]
    if missing:
        raise PrepareError(
            f"{len(missing)} of {len(worklist.videos)} videos are not done yet, such as {missing[0]}; "
            "run again without --finish, or wait for the Slurm jobs"
        )
    labels = None if classes is None else folder_labels([video.source for video in worklist.videos], classes)
    records = list(believed.values())
    report = make_report(workspace, records, worklist.skipped, classes)
    texts = {
        "manifest.tsv": manifest_text([record for record in records if record.status == DONE], labels),
        "classes.txt": None if classes is None else class_names_text(classes),
        "report.txt": report_text(report),
        "report.json": json.dumps(report, indent=2) + "\n",
    }
    write_own_reports(workspace, texts)
    return report
