"""Local launcher: runs a task in this process, in several that it starts, or as one rank of torchrun or srun."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from sce_video.config import config_text, flat_config, load_config, saved_config
from sce_video.config.same_run import forbidden_changes, listed
from sce_video.config.sections.task import TRAINING_TASKS
from sce_video.engine.cluster.collectives import all_gathered, is_main_process
from sce_video.engine.cluster.env import is_under_torchrun, rank_from_env, slurm_job
from sce_video.engine.cluster.joined_ranks import joined_ranks
from sce_video.engine.cluster.local_ranks import start_ranks
from sce_video.engine.cluster.requeue import exit_after_peer_failure
from sce_video.engine.cluster.run_lock import InUseError, LockOwner, hold_run_lock, share_run_lock
from sce_video.errors import ConfigError, UserError
from sce_video.launch.pages import report_ended_run
from sce_video.launch.program import print_message
from sce_video.launch.requeue_limit import may_requeue
from sce_video.launch.splits import run_splits
from sce_video.models.weights import CHECKPOINTS_DIR
from sce_video.runtime.checkpoints import CheckpointFolder
from sce_video.runtime.files import write_text
from sce_video.runtime.logging import RUN_LOG, log_to, log_to_terminal
from sce_video.runtime.seeds import seed_everything
from sce_video.runtime.signals import stopped_by_signals
from sce_video.tasks.table import TASKS


def run_config(file: str | Path, overrides: Sequence[str], *, num_processes: int | None) -> int:
    """Run a config's task in this process, as one rank of an external launcher, or in several local processes.

    Args:
        num_processes: None is one per GPU.
    Returns:
        The exit code.
    Raises:
        UserError: see `run_task`.
    """
    cfg = load_config(file, overrides)
    is_one_of_several = rank_from_env() is not None
    if num_processes is None:
        is_alone = is_one_of_several or is_under_torchrun() or cfg.RUN.DEVICE == "cpu"
        num_processes = 1 if is_alone else max(1, torch.cuda.device_count())
    if cfg.RUN.DEVICE != "cpu" and 0 < torch.cuda.device_count() < num_processes:
        raise UserError(f"--nproc is {num_processes}, but torch sees {torch.cuda.device_count()} GPUs here")
    if num_processes > 1 and not is_one_of_several:
        log = Path(cfg.RUN.OUTPUT_DIR) / RUN_LOG
        return start_ranks([sys.executable, *sys.argv], num_processes=num_processes, log=log)
    run_joined(cfg)
    return 0


def run_joined(cfg: CfgNode) -> None:
    """`run_task` as one rank of an external launcher, or as the only process."""
    on_failure = partial(
        exit_after_peer_failure, report=print_message, may_requeue=partial(may_requeue, Path(cfg.RUN.OUTPUT_DIR))
    )
    with stopped_by_signals(), joined_ranks(cfg.RUN.DEVICE, on_failure=on_failure):
        run_task(cfg)


def run_task(cfg: CfgNode) -> None:
    """Run the config's task; all its files go below RUN.OUTPUT_DIR.

    Raises:
        UserError: the config, a path, a video list or a checkpoint cannot be used.
    """
    if cfg.EVAL.SPLITS != [0]:
        run_splits(cfg, run_task)
        return
    device = choose_device(cfg)
    output_dir = Path(cfg.RUN.OUTPUT_DIR)
    _refuse_foreign_folder(cfg, output_dir)
    with _locked_for_all_ranks(output_dir), _logged(output_dir):
        seed_everything(cfg.RUN.SEED)
        work = TASKS[cfg.TASK](cfg, device)
        log_to(output_dir)
        if is_main_process():
            write_text(
                output_dir / "config.yaml",
                "# Resolved config of a run, every key that it reads. To run it again:\n"
                f"# python tools/run_net.py --cfg {output_dir}/config.yaml\n" + config_text(cfg),
            )
        work()
        if is_main_process():
            report_ended_run(cfg)


@contextmanager
def _logged(output_dir: Path) -> Iterator[None]:
    """Log to the terminal and to `run.log`; a start that is refused does not create this file."""
    log_to_terminal()
    try:
        if (output_dir / RUN_LOG).exists():
            log_to(output_dir)
        yield
    except (UserError, OSError):
        raise
    except BaseException:
        with suppress(UserError, OSError):
            log_to(output_dir)
        raise


@contextmanager
def _locked_for_all_ranks(output_dir: Path) -> Iterator[None]:
    """Hold the run lock of the folder, which the main process takes for all ranks.

    Raises:
        InUseError: another run has it; raised on all ranks.
    """
    owner: LockOwner | str = ""
    with ExitStack() as lock:
        if is_main_process():
            try:
                owner = lock.enter_context(hold_run_lock(output_dir, **slurm_job()))
            except InUseError as error:
                owner = str(error)
        owner = all_gathered(owner)[0]
        if isinstance(owner, str):
            raise InUseError(owner)
        if not is_main_process():
            lock.enter_context(share_run_lock(owner, output_dir))
        yield


def choose_device(cfg: CfgNode) -> torch.device:
    """The device of RUN.DEVICE.

    Raises:
        ConfigError: it is not available, or does not support TRAIN.PRECISION.
    """
    wanted = cfg.RUN.DEVICE
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("RUN.DEVICE is cuda, but torch sees no GPU here; check the driver, or use RUN.DEVICE cpu")
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    if cfg.TASK in TRAINING_TASKS and device.type == "cpu" and cfg.TRAIN.PRECISION == "fp16":
        raise ConfigError("TRAIN.PRECISION is fp16, but there is no GPU here; use fp32 on a CPU")
    return device


def _refuse_foreign_folder(cfg: CfgNode, output_dir: Path) -> None:
    """Raises ConfigError for a folder with checkpoints of another run, or with several splits."""
    if any(output_dir.glob("split_*/config.yaml")):
        raise ConfigError(f"{output_dir} holds a run of several splits; give one split another RUN.OUTPUT_DIR")
    checkpoints, saved = CheckpointFolder(output_dir / CHECKPOINTS_DIR, num_kept=1), output_dir / "config.yaml"
    if not checkpoints.steps():
        return
    if not saved.is_file():
        raise ConfigError(
            f"{output_dir} holds checkpoints but no config.yaml, which identifies the run; restore it (a checkpoint "
            f'has its text: torch.load(FILE, weights_only=True)["config"]), or choose another RUN.OUTPUT_DIR'
        )
    before = saved_config(saved)
    if cfg.TASK != before.TASK:
        raise ConfigError(
            f"{output_dir} holds a run with TASK {before.TASK}; give TASK {cfg.TASK} another RUN.OUTPUT_DIR"
        )
    changed = forbidden_changes(flat_config(before), cfg)
    if changed:
        raise ConfigError(
            f"{output_dir} holds a run with another value of {listed(changed)}; choose another RUN.OUTPUT_DIR"
        )
