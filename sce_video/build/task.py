"""The tasks of `run_net.py`.

With a config it builds all that it needs and refuses what cannot be used, before anything
is written; what it gives back does the work.
"""

from collections.abc import Callable

import torch
from fvcore.common.config import CfgNode

from sce_video.build.evaluation import build_knn, build_linear_features, build_retrieval, evaluate_task
from sce_video.build.extract import extract_task
from sce_video.build.finetune import finetune_task, linear_task
from sce_video.build.pretrain import pretrain_task
from sce_video.build.run import Work


def linear_features_task(cfg: CfgNode, device: torch.device) -> Work:
    return evaluate_task(cfg, device, build_linear_features(cfg, device))


def knn_task(cfg: CfgNode, device: torch.device) -> Work:
    return evaluate_task(cfg, device, build_knn(cfg, device))


def retrieval_task(cfg: CfgNode, device: torch.device) -> Work:
    return evaluate_task(cfg, device, build_retrieval(cfg, device))


TASKS: dict[str, Callable[[CfgNode, torch.device], Work]] = {
    "pretrain": pretrain_task,
    "finetune": finetune_task,
    "linear": linear_task,
    "linear_features": linear_features_task,
    "knn": knn_task,
    "retrieval": retrieval_task,
    "extract": extract_task,
}
