"""Loader processes from the config."""

import torch
from fvcore.common.config import CfgNode

from sce_video.data.joined import NamedVideos
from sce_video.engine.cluster.collectives import num_local_ranks
from sce_video.engine.machine import available_cores
from sce_video.engine.pool.workers import Workers


def build_workers(cfg: CfgNode, listed: NamedVideos, device: torch.device) -> Workers:
    return Workers(
        build_num_workers(cfg),
        num_items=len(listed),
        timeout_seconds=cfg.DATA.VIDEO_TIMEOUT_SECONDS,
        name=listed.name,
        tasks_ahead=cfg.DATA.PREFETCH_BATCHES,
        pin_memory=device.type == "cuda",
    )


def build_probe_worker(cfg: CfgNode, listed: NamedVideos) -> Workers:
    """A single process for probing a few videos before a run, so that a video that hangs cannot block the start."""
    return Workers(
        min(1, build_num_workers(cfg)),
        num_items=len(listed),
        timeout_seconds=cfg.DATA.VIDEO_TIMEOUT_SECONDS,
        name=listed.name,
    )


def build_no_workers(cfg: CfgNode, listed: NamedVideos) -> Workers:
    """No process: the work is done in this one."""
    return Workers(0, num_items=len(listed), timeout_seconds=cfg.DATA.VIDEO_TIMEOUT_SECONDS, name=listed.name)


def build_num_workers(cfg: CfgNode) -> int:
    workers: int = cfg.DATA.NUM_WORKERS
    return max(1, available_cores() // num_local_ranks()) if workers < 0 else workers
