"""`prepare_data.py`: prepare videos on this machine or in a Slurm array, and merge the array's results."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import submitit
from submitit.helpers import DelayedSubmission

from sce_video.engine.prepare.actions import Action, PrepareError, check_range
from sce_video.engine.prepare.all_videos import Limits, prepare_videos, write_manifest_and_reports
from sce_video.engine.prepare.labels import Labels
from sce_video.engine.prepare.own_reports import require_own_reports
from sce_video.engine.prepare.summary import renamed
from sce_video.engine.prepare.worklist import Worklist, make_worklist, read_worklist, write_worklist
from sce_video.engine.prepare.workspace import Workspace, begin, lock_workspace, open_workspace, reopen_workspace
from sce_video.launch.batch_text import require_plain
from sce_video.launch.program import print_message
from sce_video.plain_text import escaped

# For the main process of a job, beside its workers.
_EXTRA_MEMORY_GIB = 2


@dataclass(frozen=True)
class SlurmArray:
    """Resources of each job of the array; `partition` None is the cluster's default."""

    num_jobs: int
    partition: str | None
    time_minutes: int
    cpus_per_task: int

    def __post_init__(self) -> None:
        check_range("--array", self.num_jobs, 1, 100_000)
        check_range("--time-minutes", self.time_minutes, 1, 366 * 24 * 60)
        check_range("--cpus-per-task", self.cpus_per_task, 1, 1024)
        require_plain({"--partition": self.partition or ""})


@dataclass(frozen=True)
class PrepareShard:
    """One job of an array, called with its index; called again when requeued after a timeout or preemption."""

    output_dir: Path
    limits: Limits
    num_shards: int
    retry_broken: bool

    def __call__(self, shard: int) -> None:
        workspace = reopen_workspace(self.output_dir)
        with lock_workspace(workspace, shared=True):
            prepare_videos(
                workspace,
                read_worklist(workspace),
                limits=self.limits,
                shard=shard,
                num_shards=self.num_shards,
                retry_broken=self.retry_broken,
            )

    def checkpoint(self, shard: int) -> DelayedSubmission:
        """The call after a requeue: without `retry_broken`, as a broken video would be retried at every requeue."""
        return DelayedSubmission(dataclasses.replace(self, retry_broken=False), shard)


def prepare_here(
    source_dir: Path,
    output_dir: Path,
    action: Action,
    *,
    limits: Limits,
    labels: Labels,
    follow_outside: bool,
    retry_broken: bool,
) -> str:
    """Prepare every video below `source_dir` that is not done yet; returns a one-line summary.

    Raises:
        UserError: the folders or settings cannot be used.
        OSError: outputs cannot be written.
    """
    workspace = open_workspace(source_dir, output_dir, action)
    with lock_workspace(workspace, shared=False):
        worklist = _worklist(workspace, follow_outside=follow_outside)
        classes = _classes(worklist, labels)  # refuse unknown class folders before the long work
        _begin(workspace, worklist)
        prepare_videos(workspace, worklist, limits=limits, shard=0, num_shards=1, retry_broken=retry_broken)
        return _write_and_summarize(workspace, worklist, classes)


def submit_shards(
    source_dir: Path,
    output_dir: Path,
    action: Action,
    *,
    limits: Limits,
    array: SlurmArray,
    follow_outside: bool,
    retry_broken: bool,
    cluster: str = "slurm",
) -> list[submitit.Job]:
    """Submit an array of jobs that share the videos, without waiting for them.

    Args:
        cluster: of submitit; "local", for tests, starts the jobs on this machine.
    Raises:
        UserError: the folders or settings cannot be used, or there is no Slurm here.
    """
    require_plain({"the target": str(Path(output_dir).absolute()), "Python": sys.executable})
    workspace = open_workspace(source_dir, output_dir, action)
    with lock_workspace(workspace, shared=False):
        worklist = _worklist(workspace, follow_outside=follow_outside)
        executor = _executor(workspace, cluster)
        _begin(workspace, worklist)
    executor.update_parameters(
        name="prepare_data",
        timeout_min=array.time_minutes,
        cpus_per_task=array.cpus_per_task,
        mem_gb=limits.memory_gib * limits.num_workers + _EXTRA_MEMORY_GIB,
        slurm_partition=array.partition,
        # Since Slurm 22.05 srun does not inherit this from sbatch: all workers would share one core.
        slurm_srun_args=[f"--cpus-per-task={array.cpus_per_task}"],
    )
    shard = PrepareShard(workspace.output_dir, limits, array.num_jobs, retry_broken)
    return executor.map_array(shard, range(array.num_jobs))


def finish(source_dir: Path, output_dir: Path, action: Action, *, labels: Labels) -> str:
    """Write manifest and reports after all jobs of an array have ended; returns a one-line summary.

    Raises:
        UserError: as `prepare_here`, or videos are not done yet.
    """
    workspace = open_workspace(source_dir, output_dir, action)
    with lock_workspace(workspace, shared=False):
        worklist = read_worklist(workspace)
        return _write_and_summarize(workspace, worklist, _classes(worklist, labels))


def _worklist(workspace: Workspace, *, follow_outside: bool) -> Worklist:
    """List the videos to prepare; prints one line per kind of problem."""
    require_own_reports(workspace)
    worklist = make_worklist(workspace, follow_outside=follow_outside)
    if not worklist.videos and not worklist.skipped:
        raise PrepareError(f"{workspace.source_dir} holds no videos, at any depth")
    if worklist.invalid_lines:
        print_message(f"{_such_as(worklist.invalid_lines)} are not valid records; these videos are redone")
    if worklist.skipped:
        skipped = [f"{left.source} {left.reason}" for left in worklist.skipped]
        print_message(f"skipped, see report.txt: {_such_as(skipped)}")
    names = [f"{source} -> {output}" for source, output in renamed((v.source, v.output) for v in worklist.videos)]
    if names:
        print_message(f"outputs with another name, see report.txt: {_such_as(names)}")
    return worklist


def _executor(workspace: Workspace, cluster: str) -> submitit.AutoExecutor:
    try:
        return submitit.AutoExecutor(workspace.state_dir / "slurm", cluster=cluster)
    except RuntimeError as error:  # no srun on this machine
        raise PrepareError(f"--slurm: {error}; submit from a machine of the cluster, or leave --slurm out") from error


def _begin(workspace: Workspace, worklist: Worklist) -> None:
    """The first writes, after all checks."""
    begin(workspace)
    write_worklist(workspace, worklist)


def _such_as(lines: Sequence[str]) -> str:
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return escaped(lines[0]) + more


def _classes(worklist: Worklist, labels: Labels) -> list[str] | None:
    return labels.classes_of([video.source for video in worklist.videos])


def _write_and_summarize(workspace: Workspace, worklist: Worklist, classes: list[str] | None) -> str:
    counts = write_manifest_and_reports(workspace, worklist, classes=classes)["counts"]
    more = [("left_out", "left out"), ("incomplete", "done lack frames")]
    return (
        f"done: {counts['done']} of {counts['found']} videos, {counts['broken']} broken, {counts['too_short']} too "
        f"short, {counts['skipped']} files skipped"
        + "".join(f", {counts[name]} {words}" for name, words in more if counts[name])
        + f"; see {workspace.output_dir / 'report.txt'}"
    )
