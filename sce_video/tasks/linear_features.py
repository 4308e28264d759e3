"""Multinomial logistic regression on one feature of each video."""

from functools import partial

import torch
from fvcore.common.config import CfgNode

from sce_video.build.run import Work
from sce_video.data.subsets import balanced_part
from sce_video.evaluate.linear import linear_metrics
from sce_video.tasks.evaluation import evaluate_task


def linear_features_task(cfg: CfgNode, device: torch.device) -> Work:
    measure = partial(
        linear_metrics,
        weight_decays=cfg.EVAL.LINEAR_WEIGHT_DECAYS,
        fitted_part=partial(balanced_part, share=1 - cfg.EVAL.LINEAR_HELD_OUT_SHARE, seed=cfg.RUN.SEED),
        device=device,
    )
    settings = {
        "linear_weight_decays": cfg.EVAL.LINEAR_WEIGHT_DECAYS,
        "linear_held_out_share": cfg.EVAL.LINEAR_HELD_OUT_SHARE,
    }
    return evaluate_task(cfg, device, measure, settings=settings)
