"""The tasks of `run_net.py`: pretrain, finetune, and three ways to evaluate frozen features."""

from collections.abc import Callable

import torch
from fvcore.common.config import CfgNode

from sce_video.build.evaluation import build_knn, build_linear, build_retrieval, evaluate_task
from sce_video.build.finetune import finetune_task
from sce_video.build.pretrain import pretrain_task


def knn_task(cfg: CfgNode, device: torch.device) -> None:
    evaluate_task(cfg, device, build_knn(cfg))


def linear_task(cfg: CfgNode, device: torch.device) -> None:
    evaluate_task(cfg, device, build_linear(cfg))


def retrieval_task(cfg: CfgNode, device: torch.device) -> None:
    evaluate_task(cfg, device, build_retrieval(cfg))


TASKS: dict[str, Callable[[CfgNode, torch.device], None]] = {
    "pretrain": pretrain_task,
    "finetune": finetune_task,
    "linear": linear_task,
    "knn": knn_task,
    "retrieval": retrieval_task,
}
