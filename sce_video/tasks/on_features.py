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
    """Evaluation that TASK names, with the arguments it takes: settings of EVAL, device, seed, search, balanced_part.

    Raises:
        UserError: the library of EVAL.SEARCH is not installed.
    """
    evaluation = EVALUATIONS[cfg.TASK]
    names = keyword_names(evaluation)
    settings = settings_for(evaluation, cfg.EVAL)
    available: dict[str, Any] = {"device": device, "seed": cfg.RUN.SEED, "balanced_part": balanced_part, **settings}
    if "search" in names:
        available["search"] = SEARCHES[cfg.EVAL.SEARCH]()
    measure = partial(evaluation, **{name: available[name] for name in names})
    return evaluate_task(cfg, device, measure, settings=settings)
