"""The order of things: list, work through what is not done, write down what came of it."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sce_video.data.prepare.isolate import Lost, run_isolated
from sce_video.data.prepare.journal import BROKEN, DONE, Journal, Planned, Record, believed_records, read_journals
from sce_video.data.prepare.labels import folder_labels, write_class_names
from sce_video.data.prepare.one_video import Job, prepare_video
from sce_video.data.prepare.report import write_manifest, write_report
from sce_video.data.prepare.settings import PrepareError
from sce_video.data.prepare.workspace import Plan, Workspace, journal_files, partial_folder
from sce_video.runtime.progress import progress_bar


@dataclass(frozen=True)
class Limits:
    """Of a run, none of its outputs: they may change from one run to the next.

    Args:
        num_workers: processes, one core each.
        timeout_seconds: that a video may take before it is given up.
        memory_gib: that a process may take before its video is given up.
    """

    num_workers: int
    timeout_seconds: float = 600.0
    memory_gib: float = 2.0

    def __post_init__(self) -> None:
        if self.num_workers < 1:
            raise PrepareError(f"--workers is {self.num_workers}; it must be at least 1")
        if not self.timeout_seconds > 0:
            raise PrepareError(f"--timeout-seconds is {self.timeout_seconds}; it must be above 0")
        if not self.memory_gib >= 1:
            raise PrepareError(f"--memory-gib is {self.memory_gib}; a worker needs at least 1")


def work_through(
    workspace: Workspace, plan: Plan, *, limits: Limits, shard: int, num_shards: int, retry_broken: bool
) -> None:
    """Prepare what is not done of every `num_shards`-th video, from the `shard`-th on.

    Args:
        retry_broken: do those again that were broken, as after trouble with a disk.
    Raises:
        OSError: outputs cannot be written.
    """
    videos = plan.videos[shard::num_shards]
    waiting = _not_done(workspace, videos, retry_broken=retry_broken)
    progress = progress_bar(total=len(videos), initial=len(videos) - len(waiting), description="prepare", unit="videos")
    num_broken = 0
    with (
        progress,
        partial_folder(workspace, shard) as folder,
        Journal(workspace.journal_file(shard)) as journal,
        closing(_outcomes(workspace, waiting, folder, limits)) as outcomes,
    ):
        for job, outcome in outcomes:
            record = Record.of(job.video, BROKEN, reason=outcome.reason) if isinstance(outcome, Lost) else outcome
            journal.write(record)
            num_broken += record.status == BROKEN
            progress.set_postfix(broken=num_broken, refresh=False)
            progress.update()


def _outcomes(
    workspace: Workspace, videos: Sequence[Planned], partial_dir: Path, limits: Limits
) -> Generator[tuple[Job, Record | Lost], None, None]:
    jobs = (Job(video, workspace.source_dir, workspace.output_dir, partial_dir, workspace.action) for video in videos)
    return run_isolated(
        prepare_video,
        jobs,
        num_workers=limits.num_workers,
        timeout_seconds=limits.timeout_seconds,
        memory_bytes=int(limits.memory_gib * 2**30),
    )


def _not_done(workspace: Workspace, videos: Sequence[Planned], *, retry_broken: bool) -> list[Planned]:
    believed = _believed(workspace, videos)
    return [
        video
        for video in videos
        if video.source not in believed or (retry_broken and believed[video.source].status == BROKEN)
    ]


def _believed(workspace: Workspace, videos: Sequence[Planned]) -> dict[str, Record]:
    records = read_journals(journal_files(workspace))
    return believed_records(records, videos, workspace.output_dir, workspace.action)


def write_results(workspace: Workspace, plan: Plan, *, classes: Sequence[str] | None) -> dict[str, Any]:
    """Write `manifest.tsv`, `report.json`, `report.txt` and `classes.txt`; returns what stands in the report.

    Args:
        classes: the names of the class folders in the order of their labels; None gives no labels.
    Raises:
        PrepareError: videos that are not done yet, or one that lies in none of these folders.
    """
    believed = _believed(workspace, plan.videos)
    missing = [video.source for video in plan.videos if video.source not in believed]
    if missing:
        raise PrepareError(
            f"{len(missing)} of {len(plan.videos)} videos are not done yet, such as {missing[0]}; "
            "run again without --finish, or wait for the Slurm jobs"
        )
    labels = None if classes is None else folder_labels([video.source for video in plan.videos], classes)
    done = [record for record in believed.values() if record.status == DONE]
    write_manifest(workspace.output_dir / "manifest.tsv", done, labels)
    write_class_names(workspace.output_dir / "classes.txt", classes)
    return write_report(workspace, list(believed.values()), plan.skipped, classes)
