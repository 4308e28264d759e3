"""What all evaluations share, and those of frozen features; the end of each is `results.json`."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from sce_video.augment.apply import plain_view
from sce_video.build.clips import DECODER_FILE, build_opener, build_protocol, describe_decoder, remember_decoder
from sce_video.build.data import build_test_manifest, build_train_manifest, build_views_dataset
from sce_video.build.files import build_videos
from sce_video.build.model import build_evaluated_backbone
from sce_video.build.run import Work
from sce_video.build.workers import build_watch, build_workers
from sce_video.clips.decoders import VideoOpener
from sce_video.config.defaults import SPLIT_MARK
from sce_video.data.checks import require_comparable
from sce_video.data.manifest import Manifest
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.errors import ManifestError
from sce_video.evaluate.chance import chance_levels, standard_errors
from sce_video.evaluate.feature_files import stored_features
from sce_video.evaluate.features import (
    FeatureExtractor,
    FeatureRows,
    FeatureSet,
    features_digest,
    labeled,
    mean_of_crops,
    mean_of_views,
)
from sce_video.evaluate.knn import knn_metrics
from sce_video.evaluate.linear import linear_metrics
from sce_video.evaluate.metrics import Measured
from sce_video.evaluate.neighbors import SEARCHES
from sce_video.evaluate.records import NEIGHBORS_FILE, PREDICTIONS_FILE, write_neighbors, write_predictions
from sce_video.evaluate.retrieval import retrieval_metrics
from sce_video.evaluate.views import spatial_crops
from sce_video.models.weights import weights_digest
from sce_video.report.table import metrics_table
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER

# (test features, training features) -> metrics
Measure = Callable[[FeatureSet, FeatureSet], Measured]


def build_knn(cfg: CfgNode, device: torch.device) -> Measure:
    return partial(
        knn_metrics,
        nums_neighbors=cfg.EVAL.KNN_NUM_NEIGHBORS,
        temperatures=cfg.EVAL.KNN_TEMPERATURES,
        device=device,
        search=SEARCHES[cfg.EVAL.SEARCH](),
    )


def build_linear_features(cfg: CfgNode, device: torch.device) -> Measure:
    return partial(
        linear_metrics,
        weight_decays=cfg.EVAL.LINEAR_WEIGHT_DECAYS,
        held_out_share=cfg.EVAL.LINEAR_HELD_OUT_SHARE,
        seed=cfg.RUN.SEED,
        device=device,
    )


def build_retrieval(cfg: CfgNode, device: torch.device) -> Measure:
    return partial(
        retrieval_metrics,
        ranks=cfg.EVAL.RETRIEVAL_RANKS,
        center_features=cfg.EVAL.RETRIEVAL_CENTER_FEATURES,
        device=device,
        search=SEARCHES[cfg.EVAL.SEARCH](),
    )


def evaluate_task(cfg: CfgNode, device: torch.device, measure: Measure) -> Work:
    """Extract features of training and test videos, measure, write `results.json`, print the table."""
    train_manifest, test_manifest = build_train_manifest(cfg), build_test_manifest(cfg)
    require_comparable(train_manifest, test_manifest)
    backbone, weights = build_evaluated_backbone(cfg)
    LOGGER.info("evaluating %s on %s", weights, device)
    memory = features_home(cfg) / DECODER_FILE
    opener = build_opener(cfg, train_manifest, memory=memory)
    features = partial(features_of, cfg, backbone.to(device), device, opener, num_features=backbone.feature_dim)

    def work() -> None:
        remember_decoder(cfg, opener.decoder, videos=train_manifest.digest(), memory=memory)
        _evaluate(cfg, measure, features, opener, train_manifest, test_manifest, weights=weights)

    return work


def _evaluate(
    cfg: CfgNode,
    measure: Measure,
    features: Callable[..., FeatureRows],
    opener: VideoOpener,
    train_manifest: Manifest,
    test_manifest: Manifest,
    *,
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
    protocol = {**describe_views(cfg, opener, train=train_manifest, test=test_manifest), **_settings(cfg)}
    write_results(
        cfg,
        measured.metrics,
        protocol,
        test=test,
        bank=train,
        first_answers=_first_answers(measured, train),
        weights=weights,
        details=measured.details,
        class_names=train_manifest.class_names,
        features=features_digest(test.features),
    )


def _first_answers(measured: Measured, bank: FeatureSet) -> Tensor:
    """The class that each test row was taken for, int64 (rows,)."""
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
    """The tables of this task; none stays of another one that used the folder before."""
    for name in (PREDICTIONS_FILE, NEIGHBORS_FILE):
        (output_dir / name).unlink(missing_ok=True)
    if measured.scores is not None:
        write_predictions(output_dir / PREDICTIONS_FILE, test, test_paths, measured.scores)
    if measured.neighbors is not None:
        write_neighbors(output_dir / NEIGHBORS_FILE, test, bank, test_paths, bank_paths, measured.neighbors)


def features_of(
    cfg: CfgNode,
    backbone: nn.Module,
    device: torch.device,
    opener: VideoOpener,
    manifest: Manifest,
    *,
    num_features: int,
    name: str,
) -> FeatureRows:
    """Features of all videos of a list, `num_features` numbers each, kept in the folder `name` below that of features.

    Raises:
        ManifestError: none can be decoded.
    """
    watch = build_watch(cfg, manifest)
    extractor = FeatureExtractor(
        backbone,
        build_views_dataset(cfg, build_videos(cfg, manifest, opener), watch),
        make_views=partial(_views_of, cfg),
        pool=partial(_POOLS[cfg.EVAL.RETRIEVAL_LEVEL], num_crops=cfg.EVAL.NUM_CROPS),
        workers=build_workers(cfg, watch, device),
        device=device,
    )
    about = {
        "weights": weights_digest(backbone),
        "videos": manifest.digest(),
        "root": str(manifest.root.absolute()),
        "content": manifest.content_digest(),
        "rows": cfg.EVAL.RETRIEVAL_LEVEL,
        **describe_extraction(cfg, opener),
        "mean": cfg.AUG.MEAN,
        "std": cfg.AUG.STD,
        "torch": torch.__version__,
        "device": device.type,
    }
    rows = stored_features(
        features_folder(cfg, name),
        extractor,
        num_videos=len(manifest),
        num_features=num_features,
        local_batch_size=cfg.EVAL.LOCAL_BATCH_SIZE,
        about=about,
        description=f"{name} features",
    )
    if len(rows.features) == 0:
        raise ManifestError(f"none of the {len(manifest)} videos of {manifest.origin} can be decoded")
    return rows


def features_folder(cfg: CfgNode, name: str) -> Path:
    """Where the features of a list are kept: those of clips, and of a part of the labels, beside the full ones.

    Args:
        name: of the list, train or test.
    """
    level, share = cfg.EVAL.RETRIEVAL_LEVEL, cfg.EVAL.LABEL_SHARE
    of_level = "" if level == "video" else f"_{level}s"
    of_share = f"_share_{share:g}_seed_{cfg.RUN.SEED}" if share < 1 and name == "train" else ""
    return features_home(cfg) / f"{name}{of_level}{of_share}"


def features_home(cfg: CfgNode) -> Path:
    return Path(cfg.EVAL.FEATURES_DIR or Path(cfg.RUN.OUTPUT_DIR) / "features")


_POOLS: dict[str, Callable[..., Tensor]] = {"video": mean_of_views, "clip": mean_of_crops}


def _views_of(cfg: CfgNode, clips: Tensor) -> Tensor:
    views = spatial_crops(clips, num_crops=cfg.EVAL.NUM_CROPS)
    return plain_view(views, mean=tuple(cfg.AUG.MEAN), std=tuple(cfg.AUG.STD))


def describe_views(cfg: CfgNode, opener: VideoOpener, *, train: Manifest, test: Manifest) -> dict[str, Any]:
    """Which videos the numbers are of, how these are seen and by what they are decoded."""
    return {
        **describe_extraction(cfg, opener),
        **_videos(cfg, train=train, test=test),
        "label_share": cfg.EVAL.LABEL_SHARE,
        "seed": cfg.RUN.SEED,
    }


def describe_extraction(cfg: CfgNode, opener: VideoOpener) -> dict[str, Any]:
    """How videos are seen and by what they are decoded."""
    return {
        **build_protocol(cfg)._asdict(),
        **describe_decoder(opener),
        "short_side_pixels": cfg.DATA.SHORT_SIDE_PIXELS,
        "frames_fps": cfg.DATA.FRAMES_FPS,
        **({"frames_pattern": cfg.DATA.FRAMES_PATTERN} if cfg.DATA.FRAMES_PATTERN else {}),
    }


def _videos(cfg: CfgNode, *, train: Manifest, test: Manifest) -> dict[str, Any]:
    """An official split, or what identifies the two lists."""
    if cfg.DATA.SOURCE in ("ucf101", "hmdb51"):
        return {"source": cfg.DATA.SOURCE, "split": cfg.DATA.SPLIT}
    digests = {"train_videos": train.digest(), "test_videos": test.digest()}
    split = {"split": cfg.DATA.SPLIT} if SPLIT_MARK in cfg.DATA.TRAIN else {}
    return {"source": cfg.DATA.SOURCE, "train": cfg.DATA.TRAIN, "test": cfg.DATA.TEST, **split, **digests}


def _settings(cfg: CfgNode) -> dict[str, Any]:
    """What the task's metrics on frozen features depend on beside the views and the videos."""
    settings: dict[str, dict[str, Any]] = {
        "knn": {
            "knn_num_neighbors": cfg.EVAL.KNN_NUM_NEIGHBORS,
            "knn_temperatures": cfg.EVAL.KNN_TEMPERATURES,
            "search": cfg.EVAL.SEARCH,
        },
        "linear_features": {
            "linear_weight_decays": cfg.EVAL.LINEAR_WEIGHT_DECAYS,
            "linear_held_out_share": cfg.EVAL.LINEAR_HELD_OUT_SHARE,
        },
        "retrieval": {
            "retrieval_center_features": cfg.EVAL.RETRIEVAL_CENTER_FEATURES,
            "retrieval_level": cfg.EVAL.RETRIEVAL_LEVEL,
            "search": cfg.EVAL.SEARCH,
        },
    }
    return settings[cfg.TASK]


def write_results(
    cfg: CfgNode,
    metrics: dict[str, float],
    protocol: dict[str, Any],
    *,
    test: FeatureSet,
    first_answers: Tensor,
    bank: FeatureSet | None = None,
    **more: Any,
) -> None:
    """Write `results.json`, print the table.

    Args:
        first_answers: the class that each test row was taken for, int64 (rows,).
        bank: what the test videos were compared with, if with videos.
        more: `class_names` by label, where the source knows them.
    """
    if not is_main_process():
        return
    counts = {"num_evaluated": test.num_evaluated, "num_expected": test.num_expected}
    text, failures = "{num_evaluated} of {num_expected} test videos evaluated", test.failures
    if bank is not None:
        counts |= {"num_bank": bank.num_evaluated, "num_bank_expected": bank.num_expected}
        text, failures = text + " against {num_bank} of {num_bank_expected} training videos", bank.failures + failures
    beside = _held_against(metrics, test, first_answers, bank)
    results = {
        "task": cfg.TASK,
        "metrics": metrics,
        **beside,
        **counts,
        "failures": failures,
        "protocol": protocol,
        **more,
    }
    path = Path(cfg.RUN.OUTPUT_DIR) / "results.json"
    write_json(path, {**results, "environment": environment()})
    LOGGER.info(
        "%s\n±: standard error of %d test videos; chance: an answer that looks at no video\n%s; wrote %s",
        metrics_table(metrics, **beside),
        test.num_evaluated,
        text.format(**counts),
        path,
    )


def _held_against(
    metrics: dict[str, float], test: FeatureSet, first_answers: Tensor, bank: FeatureSet | None
) -> dict[str, dict[str, float]]:
    """What stands beside each metric: its standard error and its chance level."""
    right, num_videos = first_answers.cpu() == test.labels, test.num_evaluated
    return {
        "standard_errors": standard_errors(metrics, num_videos=num_videos, right=right, labels=test.labels),
        "chance": chance_levels(metrics, labels=test.labels, bank_labels=None if bank is None else bank.labels),
    }
