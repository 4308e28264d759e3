"""Tasks by TASK.

A task takes a config, builds and checks all that it needs before anything is written, and returns the function that
does the work.
"""

from collections.abc import Callable

import torch
from fvcore.common.config import CfgNode

from sce_video.build.training import Work
from sce_video.config.same_run import config_record
from sce_video.evaluate.table import EVALUATIONS
from sce_video.tasks.examine import examine_task
from sce_video.tasks.extract import extract_task
from sce_video.tasks.finetune import finetune_task, linear_task
from sce_video.tasks.floors import floors_task
from sce_video.tasks.on_features import on_features_task
from sce_video.tasks.pretrain import pretrain_task
from sce_video.train.loop import ConfigRecord

Task = Callable[[CfgNode, torch.device], Work]


def _training(task: Callable[[CfgNode, torch.device, ConfigRecord], Work]) -> Task:
    """A training task, which also takes its config as checkpoints record it."""
    return lambda cfg, device: task(cfg, device, config_record(cfg))


TASKS: dict[str, Task] = {
    "pretrain": _training(pretrain_task),
    "finetune": _training(finetune_task),
    "linear": _training(linear_task),
    **dict.fromkeys(EVALUATIONS, on_features_task),
    "extract": extract_task,
    "floors": floors_task,
    "examine": examine_task,
}
