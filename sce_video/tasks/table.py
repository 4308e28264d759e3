"""Tasks by TASK.

A task takes a config, builds and checks all that it needs before anything is written, and returns the function that
does the work.
"""

from collections.abc import Callable

import torch
from fvcore.common.config import CfgNode

from sce_video.build.run import Work
from sce_video.evaluate.table import EVALUATIONS
from sce_video.tasks.extract import extract_task
from sce_video.tasks.finetune import finetune_task, linear_task
from sce_video.tasks.on_features import on_features_task
from sce_video.tasks.pretrain import pretrain_task

TASKS: dict[str, Callable[[CfgNode, torch.device], Work]] = {
    "pretrain": pretrain_task,
    "finetune": finetune_task,
    "linear": linear_task,
    **dict.fromkeys(EVALUATIONS, on_features_task),
    "extract": extract_task,
}
