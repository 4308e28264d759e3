"""The tasks of `run_net.py`: pretrain, and three ways to evaluate frozen features."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.apply import plain_view
from sce_video.augment.batch import make_views
from sce_video.build.clips import build_opener, build_protocol, describe_decoder
from sce_video.build.data import (
    build_pretrain_loader,
    build_recipes,
    build_test_manifest,
    build_train_manifest,
    build_views_dataset,
)
from sce_video.build.model import build_evaluated_backbone, build_sce, describe_input
from sce_video.build.optim import build_optimizer, build_plan, build_schedules
from sce_video.build.workers import build_watch, build_workers
from sce_video.clips.decoders import VideoOpener
from sce_video.config import config_text
from sce_video.data.failures import FailureLog
from sce_video.data.manifest import Manifest, require_comparable
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError
from sce_video.evaluate.features import FeatureSet, extract_features
from sce_video.evaluate.knn import knn_metrics
from sce_video.evaluate.linear import linear_metrics
from sce_video.evaluate.retrieval import retrieval_metrics
from sce_video.models.weights import BACKBONE_FILE, CHECKPOINTS_DIR, save_backbone
from sce_video.report.table import metrics_table
from sce_video.runtime.checkpoints import CheckpointFolder
from sce_video.runtime.distributed import is_main_process
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER
from sce_video.train.loop import Run, pretrain
from sce_video.train.precision import Precision

# In the folder of a pretraining run: which decoder DATA.DECODER auto was decided to be.
DECODER_FILE = "decoder.json"


def pretrain_task(cfg: CfgNode, device: torch.device) -> None:
    """Pretrain to the end, or to TRAIN.STOP_AT_STEP; the finished backbone is written as safetensors."""
    run = build_run(cfg, device)
    LOGGER.info(
        "pretraining %s for %d steps (%d per epoch) on %s",
        cfg.MODEL.BACKBONE,
        run.plan.num_steps,
        run.plan.steps_per_epoch,
        device,
    )
    pretrain(run)
    if run.plan.last_step < run.plan.num_steps:
        LOGGER.info("stopped at TRAIN.STOP_AT_STEP %d of %d steps", run.plan.last_step, run.plan.num_steps)
    elif is_main_process():
        path = run.output_dir / BACKBONE_FILE
        save_backbone(
            run.model.backbone,
            path,
            name=cfg.MODEL.BACKBONE,
            step=run.plan.num_steps,
            network_input=describe_input(cfg),
        )
        LOGGER.info("wrote %s", path)


def build_run(cfg: CfgNode, device: torch.device) -> Run:
    manifest = build_train_manifest(cfg)
    recipes = build_recipes(cfg)
    output_dir = Path(cfg.RUN.OUTPUT_DIR)
    opener = build_opener(cfg, manifest, memory=output_dir / DECODER_FILE)
    loader = build_pretrain_loader(cfg, ListedVideos(manifest, opener), recipes, device)
    model = build_sce(cfg).to(device)
    precision = Precision(cfg.TRAIN.PRECISION, device)
    precision.require_right_gradients()
    return Run(
        model=model,
        optimizer=build_optimizer(cfg, model),
        precision=precision,
        loader=loader,
        make_views=partial(make_views, recipes=recipes, device=device),
        failures=FailureLog(manifest, max_failed_share=cfg.DATA.MAX_FAILED_SHARE, watch=loader.workers.watch),
        name_video=manifest.path,
        schedules=build_schedules(cfg, loader.steps_per_epoch),
        plan=build_plan(cfg, loader.steps_per_epoch),
        checkpoints=CheckpointFolder(output_dir / CHECKPOINTS_DIR, num_kept=cfg.TRAIN.NUM_CHECKPOINTS_KEPT),
        output_dir=output_dir,
        record={
            "backbone": cfg.MODEL.BACKBONE,
            "network_input": describe_input(cfg),
            "config": config_text(cfg),
            "videos": manifest.digest(),
            **describe_decoder(opener),
            "environment": environment(),
        },
    )


def knn_task(cfg: CfgNode, device: torch.device) -> None:
    evaluate_task(cfg, device, build_knn(cfg))


def linear_task(cfg: CfgNode, device: torch.device) -> None:
    evaluate_task(cfg, device, build_linear(cfg))


def retrieval_task(cfg: CfgNode, device: torch.device) -> None:
    evaluate_task(cfg, device, build_retrieval(cfg))


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
    extract = partial(_extract, cfg, backbone.to(device), device, opener)
    train = extract(train_manifest, description="train features")
    test = extract(test_manifest, description="test features")
    metrics: dict[str, float] = {}
    for measure in measures:
        metrics |= measure(test.features, test.labels, train.features, train.labels)
    videos = _videos(cfg, train=train_manifest, test=test_manifest)
    protocol = {**build_protocol(cfg)._asdict(), **describe_decoder(opener), **videos, **_settings(cfg)}
    results = _results(cfg, metrics, protocol, train=train, test=test) | {"weights": weights}
    if is_main_process():
        path = Path(cfg.RUN.OUTPUT_DIR) / "results.json"
        write_json(path, results)
        LOGGER.info(
            "%s\n%d of %d test videos evaluated against %d of %d training videos; wrote %s",
            metrics_table(metrics),
            len(test.features),
            test.num_expected,
            len(train.features),
            train.num_expected,
            path,
        )
    return metrics


def _extract(
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
        normalize=partial(plain_view, mean=tuple(cfg.AUG.MEAN), std=tuple(cfg.AUG.STD)),
        local_batch_size=cfg.EVAL.LOCAL_BATCH_SIZE,
        workers=build_workers(cfg, watch, device),
        device=device,
        description=description,
    )
    if len(features.features) == 0:
        raise ManifestError(f"none of the {len(manifest)} videos of {manifest.origin} can be decoded")
    return features


def _results(
    cfg: CfgNode, metrics: dict[str, float], protocol: dict[str, Any], *, train: FeatureSet, test: FeatureSet
) -> dict[str, Any]:
    return {
        "task": cfg.TASK,
        "metrics": metrics,
        "num_evaluated": len(test.features),
        "num_expected": test.num_expected,
        "num_bank": len(train.features),
        "num_bank_expected": train.num_expected,
        "failures": [*train.failures, *test.failures],
        "protocol": protocol,
        "environment": environment(),
    }


def _settings(cfg: CfgNode) -> dict[str, Any]:
    """What the metrics depend on beside the views and the videos."""
    return {
        "short_side_pixels": cfg.DATA.SHORT_SIDE_PIXELS,
        "frames_fps": cfg.DATA.FRAMES_FPS,
        "seed": cfg.RUN.SEED,
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
    return {"source": cfg.DATA.SOURCE, "train": cfg.DATA.TRAIN, "test": cfg.DATA.TEST, **digests}


TASKS: dict[str, Callable[[CfgNode, torch.device], None]] = {
    "pretrain": pretrain_task,
    "linear": linear_task,
    "knn": knn_task,
    "retrieval": retrieval_task,
}
