"""Submission of runs to Slurm, through submitit."""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import submitit
import torch
from fvcore.common.config import CfgNode
from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

import sce_video
from sce_video.config import config_text, load_config
from sce_video.engine.cluster.requeue import requeue_after_signal
from sce_video.errors import UserError
from sce_video.launch.batch_text import require_parameter_names, require_plain
from sce_video.launch.job_array import array_configs
from sce_video.launch.local import run_joined
from sce_video.launch.program import exit_code_of
from sce_video.runtime.environment import COMMIT_FILE, commit
from sce_video.runtime.files import write_text

# submitit counts every USR2 in the last fifth of a job's time, and all in jobs of up to 10 minutes.
_MAX_TIMEOUTS = 100
NO_ARRAY: Mapping[str, Sequence[str]] = MappingProxyType({})
# Ignores signals until Python handles them: a preempted job that ends by itself counts as failed, not as requeued.
_IGNORING_SIGNALS = """bash -c 'trap "" USR2 TERM; exec "$0" "$@"'"""


@dataclass(frozen=True)
class Resources:
    """Resources of a job; `gpus_per_node` 0 is one CPU task per node, `more` are other parameters of sbatch."""

    nodes: int
    gpus_per_node: int
    cpus_per_task: int
    minutes: int
    partition: str | None
    signal_delay_seconds: int
    more: dict[str, str | bool]

    @property
    def tasks_per_node(self) -> int:
        return max(1, self.gpus_per_node)

    def require_plain(self) -> None:
        """Raises UserError for a text that could add a line to the batch script."""
        require_parameter_names(self.more)
        given = {f"--sbatch {name}": value for name, value in self.more.items() if isinstance(value, str)}
        require_plain(given if self.partition is None else {"--partition": self.partition, **given})


@dataclass(frozen=True)
class SubmittedRun:
    """Callable that each task of a job runs, also after a requeue: the state of the run is on disk.

    Relative paths in `config_file`, written at submission, start from `folder`. `gpus` is CUDA_VISIBLE_DEVICES of a job
    on this machine, since submitit's local executor gives every job the first GPUs; None leaves it to Slurm.
    """

    config_file: Path
    folder: Path
    gpus: str | None = None

    def __call__(self) -> None:
        os.chdir(self.folder)
        if self.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpus
        code = requeue_after_signal(exit_code_of(lambda: run_joined(load_config(self.config_file))))
        if code:
            sys.exit(code)

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit when the job is requeued."""
        return DelayedSubmission(self)


def submit(
    file: str | Path,
    overrides: Sequence[str],
    *,
    resources: Resources,
    array: Mapping[str, Sequence[str]],
    cluster: str,
) -> list[submitit.Job]:
    """Submit a config's run, or an array of them.

    Args:
        array: keys and their values; a job for each combination, in the folder KEY_VALUE below that of the run, or
            KEY_VALUE/KEY_VALUE of several keys. Empty: one job.
        cluster: "slurm", or "local" for processes of this machine.
    Raises:
        UserError: the config cannot be run, two combinations are one run or have one folder, Slurm is missing or
            refuses the job, or a text has a control character.
    """
    _require_plain(file, overrides, resources, array)
    if cluster == "local" and resources.nodes > 1:
        raise UserError(f"--nodes is {resources.nodes}; --local has one node, this one")
    configs = array_configs(file, overrides, array)
    output_dir = _output_dir(load_config(file, overrides))
    visible = _visible_gpus() if cluster == "local" else []
    gpus = gpus_of_jobs(visible, num_jobs=len(configs), gpus_per_job=resources.gpus_per_node)
    code = _snapshot(output_dir / "submitted" / time.strftime("%Y%m%d-%H%M%S"))
    runs = [_run_of(cfg, code / f"{number}.yaml", gpus[number]) for number, cfg in enumerate(configs)]
    executor = _executor(output_dir / "submitted", resources, code, name=output_dir.name, cluster=cluster)
    try:
        with _importing_from(code):
            if len(runs) == 1:
                return [executor.submit(runs[0])]
            with executor.batch():
                return [executor.submit(run) for run in runs]
    except FailedJobError as error:
        raise UserError(f"sbatch refuses the job: {error}") from error


def batch_script(
    file: str | Path,
    overrides: Sequence[str],
    *,
    resources: Resources,
    array: Mapping[str, Sequence[str]] = NO_ARRAY,
) -> str:
    """Batch script that `submit` would pass to sbatch; needs no Slurm. Array tasks are numbered from 0.

    Raises:
        UserError: see `submit`.
    """
    _require_plain(file, overrides, resources, array)
    configs = array_configs(file, overrides, array)
    output_dir = _output_dir(load_config(file, overrides))
    executor = _ScriptWriter(output_dir / "submitted", python=_python())
    parameters = _parameters(resources, output_dir / "submitted" / "CODE", name=output_dir.name)
    executor.update_parameters(**executor.slurm_parameters(parameters))
    if len(configs) > 1:
        executor.parameters["map_count"] = len(configs)  # as submitit does with what is submitted in a batch
    text: str = executor._make_submission_file_text(executor._submitit_command_str, "")
    return text


class _ScriptWriter(submitit.SlurmExecutor):
    """submitit's Slurm executor, only for writing the script, which needs no Slurm."""

    @classmethod
    def affinity(cls) -> int:
        return 1

    def slurm_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Parameters of an `AutoExecutor` under Slurm's own names."""
        given = {name.removeprefix("slurm_"): value for name, value in parameters.items() if value is not None}
        converted: dict[str, Any] = self._convert_parameters(given)
        return converted


def _require_plain(
    file: str | Path, overrides: Sequence[str], resources: Resources, array: Mapping[str, Sequence[str]]
) -> None:
    require_plain({"--cfg": str(file), "the working directory": str(Path.cwd()), "Python": sys.executable})
    require_plain({f"argument {number} after the options": text for number, text in enumerate(overrides, start=1)})
    require_plain({f"--array {number}": " ".join([key, *array[key]]) for number, key in enumerate(array, start=1)})
    resources.require_plain()


def _output_dir(cfg: CfgNode) -> Path:
    """Absolute output folder of a config; its name becomes the job's."""
    require_plain({"RUN.OUTPUT_DIR": cfg.RUN.OUTPUT_DIR})
    return Path(cfg.RUN.OUTPUT_DIR).absolute()


def describe_jobs(jobs: Sequence[submitit.Job]) -> str:
    """Job ids, where their logs are and how to follow them."""
    ids = ",".join(str(job.job_id) for job in jobs)
    logs = [str(job.paths.stderr) for job in jobs]
    return "\n".join(
        [
            f"submitted {len(jobs)} job{'s' if len(jobs) > 1 else ''}: {ids}",
            *(f"log: {log}" for log in logs),
            f"follow: tail -F {logs[0]}",
        ]
    )


def _run_of(cfg: CfgNode, file: Path, gpus: str | None) -> SubmittedRun:
    write_text(file, config_text(cfg))
    return SubmittedRun(file, Path.cwd(), gpus)


def _visible_gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not torch.cuda.is_available():
        return []
    return [str(number) for number in range(torch.cuda.device_count())] if named is None else named.split(",")


def gpus_of_jobs(visible: Sequence[str], *, num_jobs: int, gpus_per_job: int) -> list[str | None]:
    """GPUs of this machine for each of several concurrent jobs; None if they have none.

    Raises:
        UserError: there are not enough.
    """
    if not visible or not gpus_per_job:
        return [None] * num_jobs
    if num_jobs * gpus_per_job > len(visible):
        raise UserError(
            f"{num_jobs} job{'s' if num_jobs > 1 else ''} at once with --gpus-per-node {gpus_per_job} need "
            f"{num_jobs * gpus_per_job} GPUs, but there are {len(visible)} here; use fewer"
        )
    starts = range(0, num_jobs * gpus_per_job, gpus_per_job)
    return [",".join(visible[start : start + gpus_per_job]) for start in starts]


def _snapshot(folder: Path) -> Path:
    """Copy of this package, with its commit, so that later edits do not change jobs."""
    source = Path(sce_video.__file__).parent
    shutil.copytree(source, folder / "sce_video", ignore=shutil.ignore_patterns("__pycache__"))
    write_text(folder / "sce_video" / COMMIT_FILE, commit() + "\n")
    return folder


def _python() -> str:
    return f"{_IGNORING_SIGNALS} {shlex.quote(sys.executable)}"


def _executor(folder: Path, resources: Resources, code: Path, *, name: str, cluster: str) -> submitit.AutoExecutor:
    try:
        executor = submitit.AutoExecutor(
            folder, cluster=cluster, slurm_max_num_timeout=_MAX_TIMEOUTS, slurm_python=_python()
        )
    except RuntimeError as error:  # no srun on this machine
        raise UserError(f"{error}; submit from a machine of the cluster, or use --local") from error
    executor.update_parameters(**_parameters(resources, code, name=name))
    return executor


def _parameters(resources: Resources, code: Path, *, name: str) -> dict[str, Any]:
    """Parameters of a job, as `submitit.AutoExecutor` names them."""
    return {
        "name": name,
        "nodes": resources.nodes,
        "tasks_per_node": resources.tasks_per_node,
        "gpus_per_node": resources.gpus_per_node or None,
        "cpus_per_task": resources.cpus_per_task,
        "timeout_min": resources.minutes,
        "slurm_partition": resources.partition,
        "slurm_signal_delay_s": resources.signal_delay_seconds,
        "slurm_setup": [f"export PYTHONPATH={shlex.quote(str(code))}${{PYTHONPATH:+:$PYTHONPATH}}"],
        # Since Slurm 22.05 srun does not inherit the cores from sbatch. When a task has ended the others end by
        # themselves: srun would kill those that requeue the job.
        "slurm_srun_args": [f"--cpus-per-task={resources.cpus_per_task}", "--kill-on-bad-exit=0"],
        "slurm_additional_parameters": {"requeue": True, **resources.more},
    }


@contextmanager
def _importing_from(code: Path) -> Iterator[None]:
    """Submit from the folder of the code, with it in PYTHONPATH: jobs inherit both, and Python searches them first."""
    before = Path.cwd(), os.environ.get("PYTHONPATH")
    os.chdir(code)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(code), *filter(None, [before[1]])])
    try:
        yield
    finally:
        os.chdir(before[0])
        if before[1] is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before[1]
