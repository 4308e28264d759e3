"""Evaluation tasks on frozen features of training and test videos."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import Tensor

from sce_video.build.data import build_test_manifest, build_train_manifest
from sce_video.build.model import build_evaluated_backbone
from sce_video.build.training import Work
from sce_video.clips.decoders import VideoOpener
from sce_video.data.checks import require_comparable
from sce_video.data.videos import ListedVideos
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.evaluate.features import FeatureRows, FeatureSet, features_digest, labeled
from sce_video.evaluate.metrics import Measured
from sce_video.evaluate.records import NEIGHBORS_FILE, PREDICTIONS_FILE, write_neighbors, write_predictions
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.cached_features import describe_views, features_of, features_root
from sce_video.tasks.decoder import DECODER_FILE, choose_opener, save_decoder_choice
from sce_video.tasks.results import lists_record, write_evaluation_results

# (test features, training features) -> metrics
Measure = Callable[[FeatureSet, FeatureSet], Measured]


def evaluate_task(cfg: CfgNode, device: torch.device, measure: Measure, *, settings: Mapping[str, Any]) -> Work:
    """Extract features of training and test videos, measure, write `results.json`, print the table.

    Args:
        settings: recorded in `protocol`, beside the views and the videos.
    """
    train_manifest, test_manifest = build_train_manifest(cfg), build_test_manifest(cfg)
    require_comparable(train_manifest, test_manifest)
    backbone, weights = build_evaluated_backbone(cfg, size_pixels=cfg.EVAL.SIZE_PIXELS)
    LOGGER.info("evaluating %s on %s", weights, device)
    choice_file = features_root(cfg) / DECODER_FILE
    opener = choose_opener(cfg, train_manifest, choice_file=choice_file)
    features = partial(features_of, cfg, backbone.to(device), device, opener, num_features=backbone.feature_dim)

    def work() -> None:
        save_decoder_choice(cfg, opener.decoder, videos=train_manifest.digest(), choice_file=choice_file)
        _evaluate(cfg, measure, features, opener, train_manifest, test_manifest, settings=settings, weights=weights)

    return work


def _evaluate(
    cfg: CfgNode,
    measure: Measure,
    features: Callable[..., FeatureRows],
    opener: VideoOpener,
    train_manifest: ListedVideos,
    test_manifest: ListedVideos,
    *,
    settings: Mapping[str, Any],
    weights: str,
) -> None:
    train, test = (
        labeled(features(manifest, name=name), manifest.require_labels())
        for name, manifest in (("train", train_manifest), ("test", test_manifest))
    )
    measured = measure(test, train)
    if is_main_process():
        _write_records(
            Path(cfg.RUN.OUTPUT_DIR), measured, test, train, test_manifest.shown_paths, train_manifest.shown_paths
        )
    protocol = {**describe_views(cfg, opener, train=train_manifest, test=test_manifest), **settings}
    write_evaluation_results(
        cfg,
        measured.metrics,
        protocol,
        test=test,
        bank=train,
        predicted=_predicted_labels(measured, train),
        weights=weights,
        details=measured.details,
        class_names=train_manifest.class_names,
        features=features_digest(test.features),
        lists=lists_record(cfg, train_manifest, test_manifest),
    )


def _predicted_labels(measured: Measured, bank: FeatureSet) -> Tensor:
    """Predicted class of each test row, int64 (rows,)."""
    if measured.scores is not None:
        return measured.scores.argmax(dim=1)
    assert measured.neighbors is not None  # an evaluation has one or the other
    return bank.labels[measured.neighbors[1][:, 0]]


def _write_records(
    output_dir: Path,
    measured: Measured,
    test: FeatureSet,
    bank: FeatureSet,
    test_paths: Sequence[str],
    bank_paths: Sequence[str],
) -> None:
    """Write the tables of this task, and delete those that another task has left in the folder."""
    for name in (PREDICTIONS_FILE, NEIGHBORS_FILE):
        (output_dir / name).unlink(missing_ok=True)
    if measured.scores is not None:
        write_predictions(output_dir / PREDICTIONS_FILE, test, test_paths, measured.scores)
    if measured.neighbors is not None:
        write_neighbors(output_dir / NEIGHBORS_FILE, test, bank, test_paths, bank_paths, measured.neighbors)
