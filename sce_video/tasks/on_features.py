"""Tasks for the evaluations of `evaluate.table`, with the settings that each takes by keyword."""

from functools import partial
from typing import Any

import torch
from fvcore.common.config import CfgNode

from sce_video.arguments import keyword_names, settings_for
from sce_video.build.training import Work
from sce_video.data.subsets import balanced_part
from sce_video.evaluate.neighbors import SEARCHES
from sce_video.evaluate.table import EVALUATIONS
from sce_video.tasks.evaluation import evaluate_task


def on_features_task(cfg: CfgNode, device: torch.device) -> Work:
    """The evaluation that TASK names, with what it wants: settings of EVAL, device, seed, search, balanced_part.

    Raises:
        UserError: what EVAL.SEARCH chooses is not installed.
    """
    evaluation = EVALUATIONS[cfg.TASK]
    wanted = keyword_names(evaluation)
    settings = settings_for(evaluation, cfg.EVAL)
    offered: dict[str, Any] = {"device": device, "seed": cfg.RUN.SEED, "balanced_part": balanced_part, **settings}
    if "search" in wanted:
        offered["search"] = SEARCHES[cfg.EVAL.SEARCH]()
    measure = partial(evaluation, **{name: offered[name] for name in wanted})
    return evaluate_task(cfg, device, measure, settings=settings)
