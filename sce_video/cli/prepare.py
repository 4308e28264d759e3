"""Prepare videos: here, as an array of Slurm jobs, or only the merging of what those did."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import submitit
from submitit.helpers import DelayedSubmission

from sce_video.engine.prepare.labels import Labels
from sce_video.engine.prepare.own_reports import require_own_reports
from sce_video.engine.prepare.plan import Plan, make_plan, read_plan, write_plan
from sce_video.engine.prepare.report import renamed
from sce_video.engine.prepare.run import Limits, work_through, write_results
from sce_video.engine.prepare.settings import Action, PrepareError, check_range
from sce_video.engine.prepare.workspace import Workspace, begin, locked, open_workspace, reopen_workspace
from sce_video.launch.batch_text import require_plain
from sce_video.launch.program import say
from sce_video.plain_text import shown

# Beside the workers a job holds the process that hands out the work.
_EXTRA_MEMORY_GIB = 2


@dataclass(frozen=True)
class SlurmArray:
    """What to ask of the cluster, per job of the array; `partition` None leaves it to the cluster."""

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
    """One job of an array, called with its number; after a time-out or a preemption it is called again."""

    output_dir: Path
    limits: Limits
    num_shards: int
    retry_broken: bool

    def __call__(self, shard: int) -> None:
        workspace = reopen_workspace(self.output_dir)
        with locked(workspace, shared=True):
            work_through(
                workspace,
                read_plan(workspace),
                limits=self.limits,
                shard=shard,
                num_shards=self.num_shards,
                retry_broken=self.retry_broken,
            )

    def checkpoint(self, shard: int) -> DelayedSubmission:
        """What is called then: without `retry_broken`, or what it found broken once more would never be done."""
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
    """Prepare every video below `source_dir` that is not done yet; returns one line that says what came of it.

    Raises:
        UserError: the folders or settings cannot be used.
        OSError: outputs cannot be written.
    """
    workspace = open_workspace(source_dir, output_dir, action)
    with locked(workspace, shared=False):
        plan = _plan(workspace, follow_outside=follow_outside)
        classes = _classes(plan, labels)  # a folder that is no class shows before the long work, not after it
        _begin(workspace, plan)
        work_through(workspace, plan, limits=limits, shard=0, num_shards=1, retry_broken=retry_broken)
        return _write_results(workspace, plan, classes)


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
    """Submit an array of jobs that share the videos among them; does not wait for them.

    Args:
        cluster: submitit's name of the place; only tests give another: "local" starts the jobs on this machine.
    Raises:
        UserError: the folders or settings cannot be used, or there is no Slurm here.
    """
    require_plain({"the target": str(Path(output_dir).absolute()), "Python": sys.executable})
    workspace = open_workspace(source_dir, output_dir, action)
    with locked(workspace, shared=False):
        plan = _plan(workspace, follow_outside=follow_outside)
        executor = _executor(workspace, cluster)
        _begin(workspace, plan)
    executor.update_parameters(
        name="prepare_data",
        timeout_min=array.time_minutes,
        cpus_per_task=array.cpus_per_task,
        mem_gb=limits.memory_gib * limits.num_workers + _EXTRA_MEMORY_GIB,
        slurm_partition=array.partition,
        # srun does not take this over from sbatch (since Slurm 22.05): all workers would share one core.
        slurm_srun_args=[f"--cpus-per-task={array.cpus_per_task}"],
    )
    shard = PrepareShard(workspace.output_dir, limits, array.num_jobs, retry_broken)
    return executor.map_array(shard, range(array.num_jobs))


def finish(source_dir: Path, output_dir: Path, action: Action, *, labels: Labels) -> str:
    """Write manifest and report of what the jobs of an array did; returns one line that says what came of it.

    Raises:
        UserError: as `prepare_here`, or videos are not done yet.
    """
    workspace = open_workspace(source_dir, output_dir, action)
    with locked(workspace, shared=False):
        plan = read_plan(workspace)
        return _write_results(workspace, plan, _classes(plan, labels))


def _plan(workspace: Workspace, *, follow_outside: bool) -> Plan:
    """What is to be done; whatever is odd about it is said before the work, in a line each."""
    require_own_reports(workspace)
    plan = make_plan(workspace, follow_outside=follow_outside)
    if not plan.videos and not plan.skipped:
        raise PrepareError(f"{workspace.source_dir} holds no videos, at any depth")
    if plan.left_out:
        say(f"{_such_as(plan.left_out)} are no records of finished videos; what they were of is done again")
    if plan.skipped:
        say(f"skipped, see report.txt: {_such_as([f'{left.source} {left.reason}' for left in plan.skipped])}")
    names = [f"{source} -> {output}" for source, output in renamed((v.source, v.output) for v in plan.videos)]
    if names:
        say(f"outputs with another name, see report.txt: {_such_as(names)}")
    return plan


def _executor(workspace: Workspace, cluster: str) -> submitit.AutoExecutor:
    try:
        return submitit.AutoExecutor(workspace.notes_dir / "slurm", cluster=cluster)
    except RuntimeError as error:  # no srun on this machine
        raise PrepareError(f"--slurm: {error}; submit from a machine of the cluster, or leave --slurm out") from error


def _begin(workspace: Workspace, plan: Plan) -> None:
    """Nothing is written before; whatever can be refused was looked at."""
    begin(workspace)
    write_plan(workspace, plan)


def _such_as(lines: Sequence[str]) -> str:
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return shown(lines[0]) + more


def _classes(plan: Plan, labels: Labels) -> list[str] | None:
    return labels.classes_of([video.source for video in plan.videos])


def _write_results(workspace: Workspace, plan: Plan, classes: list[str] | None) -> str:
    counts = write_results(workspace, plan, classes=classes)["counts"]
    more = [("left_out", "left out"), ("incomplete", "done lack frames")]
    return (
        f"done: {counts['done']} of {counts['found']} videos, {counts['broken']} broken, {counts['too_short']} too "
        f"short, {counts['skipped']} files skipped"
        + "".join(f", {counts[name]} {words}" for name, words in more if counts[name])
        + f"; see {workspace.output_dir / 'report.txt'}"
    )
