"""What all evaluations share, and those of frozen features; the end of each is `results.json`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.apply import plain_view
from sce_video.build.clips import build_opener, build_protocol, describe_decoder
from sce_video.build.data import build_test_manifest, build_train_manifest, build_views_dataset
from sce_video.build.model import build_evaluated_backbone
from sce_video.build.workers import build_watch, build_workers
from sce_video.clips.decoders import VideoOpener
from sce_video.config.check import SPLIT_MARK
from sce_video.data.manifest import Manifest, require_comparable
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError
from sce_video.evaluate.features import FeatureSet, extract_features
from sce_video.evaluate.knn import knn_metrics
from sce_video.evaluate.linear import linear_metrics
from sce_video.evaluate.retrieval import retrieval_metrics
from sce_video.evaluate.views import spatial_crops
from sce_video.report.table import metrics_table
from sce_video.runtime.distributed import is_main_process
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER

# (test features, test labels, train features, train labels) -> metrics
Metrics = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], dict[str, float]]


def build_knn(cfg: CfgNode) -> Metrics:
    return partial(knn_metrics, num_neighbors=cfg.EVAL.KNN_NUM_NEIGHBORS, temperature=cfg.EVAL.KNN_TEMPERATURE)


def build_linear(cfg: CfgNode) -> Metrics:
    return partial(linear_metrics, weight_decay=cfg.EVAL.LINEAR_WEIGHT_DECAY)


def build_retrieval(cfg: CfgNode) -> Metrics:
    return partial(
        retrieval_metrics, ranks=cfg.EVAL.RETRIEVAL_RANKS, center_features=cfg.EVAL.RETRIEVAL_CENTER_FEATURES
    )


def evaluate_task(cfg: CfgNode, device: torch.device, *measures: Metrics) -> dict[str, float]:
    """Extract features of training and test videos once, measure, write `results.json`, print the table."""
    train_manifest, test_manifest = build_train_manifest(cfg), build_test_manifest(cfg)
    require_comparable(train_manifest, test_manifest)
    backbone, weights = build_evaluated_backbone(cfg)
    LOGGER.info("evaluating %s on %s", weights, device)
    opener = build_opener(cfg, train_manifest)
    features = partial(features_of, cfg, backbone.to(device), device, opener)
    train = features(train_manifest, description="train features")
    test = features(test_manifest, description="test features")
    metrics: dict[str, float] = {}
    for measure in measures:
        metrics |= measure(test.features, test.labels, train.features, train.labels)
    protocol = {**describe_views(cfg, opener, train=train_manifest, test=test_manifest), **_settings(cfg)}
    write_results(cfg, metrics, protocol, test=test, bank=train, weights=weights)
    return metrics


def describe_views(cfg: CfgNode, opener: VideoOpener, *, train: Manifest, test: Manifest) -> dict[str, Any]:
    """Which videos the numbers are of, how these are seen and by what they are decoded."""
    return {
        **build_protocol(cfg)._asdict(),
        **describe_decoder(opener),
        **_videos(cfg, train=train, test=test),
        "short_side_pixels": cfg.DATA.SHORT_SIDE_PIXELS,
        "frames_fps": cfg.DATA.FRAMES_FPS,
        "seed": cfg.RUN.SEED,
    }


def write_results(
    cfg: CfgNode,
    metrics: dict[str, float],
    protocol: dict[str, Any],
    *,
    test: FeatureSet,
    bank: FeatureSet | None = None,
    **more: Any,
) -> None:
    """Write `results.json`, print the table.

    Args:
        bank: what the test videos were compared with, if with videos.
    """
    if not is_main_process():
        return
    counts = {"num_evaluated": len(test.features), "num_expected": test.num_expected}
    text, failures = "{num_evaluated} of {num_expected} test videos evaluated", test.failures
    if bank is not None:
        counts |= {"num_bank": len(bank.features), "num_bank_expected": bank.num_expected}
        text, failures = text + " against {num_bank} of {num_bank_expected} training videos", bank.failures + failures
    results = {"task": cfg.TASK, "metrics": metrics, **counts, "failures": failures, "protocol": protocol, **more}
    path = Path(cfg.RUN.OUTPUT_DIR) / "results.json"
    write_json(path, {**results, "environment": environment()})
    LOGGER.info("%s\n%s; wrote %s", metrics_table(metrics), text.format(**counts), path)


def features_of(
    cfg: CfgNode,
    backbone: torch.nn.Module,
    device: torch.device,
    opener: VideoOpener,
    manifest: Manifest,
    *,
    description: str,
) -> FeatureSet:
    watch = build_watch(cfg, manifest)
    features = extract_features(
        backbone,
        build_views_dataset(cfg, ListedVideos(manifest, opener), watch),
        manifest.require_labels(),
        make_views=partial(_views_of, cfg),
        local_batch_size=cfg.EVAL.LOCAL_BATCH_SIZE,
        workers=build_workers(cfg, watch, device),
        device=device,
        description=description,
    )
    if len(features.features) == 0:
        raise ManifestError(f"none of the {len(manifest)} videos of {manifest.origin} can be decoded")
    return features


def _views_of(cfg: CfgNode, clips: torch.Tensor) -> torch.Tensor:
    views = spatial_crops(clips, num_crops=cfg.EVAL.NUM_CROPS)
    return plain_view(views, mean=tuple(cfg.AUG.MEAN), std=tuple(cfg.AUG.STD))


def _settings(cfg: CfgNode) -> dict[str, Any]:
    """What the metrics on frozen features depend on beside the views and the videos."""
    return {
        "knn_num_neighbors": cfg.EVAL.KNN_NUM_NEIGHBORS,
        "knn_temperature": cfg.EVAL.KNN_TEMPERATURE,
        "linear_weight_decay": cfg.EVAL.LINEAR_WEIGHT_DECAY,
        "retrieval_center_features": cfg.EVAL.RETRIEVAL_CENTER_FEATURES,
    }


def _videos(cfg: CfgNode, *, train: Manifest, test: Manifest) -> dict[str, Any]:
    """Which videos the numbers are of: an official split, or what identifies the two lists."""
    if cfg.DATA.SOURCE in ("ucf101", "hmdb51"):
        return {"source": cfg.DATA.SOURCE, "split": cfg.DATA.SPLIT}
    digests = {"train_videos": train.digest(), "test_videos": test.digest()}
    split = {"split": cfg.DATA.SPLIT} if SPLIT_MARK in cfg.DATA.TRAIN else {}
    return {"source": cfg.DATA.SOURCE, "train": cfg.DATA.TRAIN, "test": cfg.DATA.TEST, **split, **digests}
