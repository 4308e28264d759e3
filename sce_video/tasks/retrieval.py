"""Retrieval: test videos ask, training videos answer."""

from functools import partial

import torch
from fvcore.common.config import CfgNode

from sce_video.build.run import Work
from sce_video.evaluate.neighbors import SEARCHES
from sce_video.evaluate.retrieval import retrieval_metrics
from sce_video.tasks.evaluation import evaluate_task


def retrieval_task(cfg: CfgNode, device: torch.device) -> Work:
    measure = partial(
        retrieval_metrics,
        ranks=cfg.EVAL.RETRIEVAL_RANKS,
        center_features=cfg.EVAL.RETRIEVAL_CENTER_FEATURES,
        device=device,
        search=SEARCHES[cfg.EVAL.SEARCH](),
    )
    settings = {
        "retrieval_center_features": cfg.EVAL.RETRIEVAL_CENTER_FEATURES,
        "retrieval_level": cfg.EVAL.RETRIEVAL_LEVEL,
        "search": cfg.EVAL.SEARCH,
    }
    return evaluate_task(cfg, device, measure, settings=settings)
