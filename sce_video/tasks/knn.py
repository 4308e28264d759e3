"""Weighted kNN: training videos vote on the class of test videos."""

from functools import partial

import torch
from fvcore.common.config import CfgNode

from sce_video.build.run import Work
from sce_video.evaluate.knn import knn_metrics
from sce_video.evaluate.neighbors import SEARCHES
from sce_video.tasks.evaluation import evaluate_task


def knn_task(cfg: CfgNode, device: torch.device) -> Work:
    measure = partial(
        knn_metrics,
        nums_neighbors=cfg.EVAL.KNN_NUM_NEIGHBORS,
        temperatures=cfg.EVAL.KNN_TEMPERATURES,
        device=device,
        search=SEARCHES[cfg.EVAL.SEARCH](),
    )
    settings = {
        "knn_num_neighbors": cfg.EVAL.KNN_NUM_NEIGHBORS,
        "knn_temperatures": cfg.EVAL.KNN_TEMPERATURES,
        "search": cfg.EVAL.SEARCH,
    }
    return evaluate_task(cfg, device, measure, settings=settings)
