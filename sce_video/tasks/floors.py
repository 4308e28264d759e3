"""Task that measures the floors of a labelled list: what a number has to beat before features have learnt anything."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from fvcore.common.config import CfgNode
from torch import nn

from sce_video.arguments import settings_for
from sce_video.build.data import build_test_manifest, build_train_manifest
from sce_video.build.files import build_videos
from sce_video.build.model import build_evaluated_backbone
from sce_video.build.training import Work
from sce_video.build.workers import build_workers
from sce_video.clips.decoders import VideoOpener
from sce_video.data.checks import require_comparable
from sce_video.data.videos import ListedVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.errors import reason_of
from sce_video.evaluate.chance import error_of_share
from sce_video.evaluate.feature_files import stored_features
from sce_video.evaluate.features import FeatureExtractor, FeatureRows, FeatureSet, labeled
from sce_video.evaluate.floor_features import ROW_LENGTH, FloorDataset
from sce_video.evaluate.floors import RIDGE_PENALTY, floor_accuracies
from sce_video.evaluate.knn import knn_metrics
from sce_video.evaluate.neighbors import SEARCHES
from sce_video.evaluate.retrieval import retrieval_metrics
from sce_video.report.floor_metrics import RANDOM_KNN, RANDOM_R1
from sce_video.report.floors import FLOORS_FILE, Floor, add_floors
from sce_video.runtime.files import write_text
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.cached_features import (
    describe_content,
    describe_views,
    features_folder,
    features_of,
    features_root,
)
from sce_video.tasks.decoder import DECODER_FILE, choose_opener, save_decoder_choice
from sce_video.tasks.evaluation import Measure
from sce_video.tasks.results import lists_record, random_floors, write_evaluation_results

# Short side of the frames that floors see, pixels; they are small anyway.
_SHORT_SIDE_PIXELS = 48


def floors_task(cfg: CfgNode, device: torch.device) -> Work:
    """Measure the floors, write them to `floors.json` and, if it can be written, a file beside the test list."""
    train, test = build_train_manifest(cfg), build_test_manifest(cfg)
    require_comparable(train, test)
    backbone, weights = build_evaluated_backbone(cfg, size_pixels=cfg.EVAL.SIZE_PIXELS)
    choice_file = features_root(cfg) / DECODER_FILE
    opener = choose_opener(cfg, train, choice_file=choice_file)
    settings = settings_for(knn_metrics, cfg.EVAL)
    searching = {"device": device, "search": SEARCHES[cfg.EVAL.SEARCH]()}
    knn: Measure = partial(knn_metrics, **{**settings, **searching})
    recall: Measure = partial(retrieval_metrics, **{**settings_for(retrieval_metrics, cfg.EVAL), **searching})

    def work() -> None:
        save_decoder_choice(cfg, opener.decoder, videos=train.digest(), choice_file=choice_file)
        of_network = partial(features_of, cfg, backbone.to(device), device, opener, num_features=backbone.feature_dim)
        network_test, network_train = _of_both(of_network, train, test)
        small_test, small_train = _of_both(partial(_small_features, cfg, opener), train, test)
        measured = knn(network_test, network_train)
        accuracies = floor_accuracies(small_test, small_train, device=device)
        accuracies[RANDOM_KNN] = measured.metrics["knn_top1"]
        accuracies[RANDOM_R1] = recall(network_test, network_train).metrics["retrieval_r1"]
        if is_main_process():
            _write_floors(cfg, train, test, accuracies, num_videos=small_test.num_evaluated)
        assert measured.scores is not None
        write_evaluation_results(
            cfg,
            accuracies,
            {**describe_views(cfg, opener, train=train, test=test), **settings, "ridge_penalty": RIDGE_PENALTY},
            test=network_test,
            bank=network_train,
            predicted=measured.scores.argmax(dim=1),
            weights=weights,
            class_names=train.class_names,
        )

    return work


def _of_both(
    features: Callable[..., FeatureRows], train: ListedVideos, test: ListedVideos
) -> tuple[FeatureSet, FeatureSet]:
    """Features of the test videos and of the training videos."""
    of_train = labeled(features(train, name="train"), train.require_labels())
    of_test = labeled(features(test, name="test"), test.require_labels())
    return of_test, of_train


def _small_features(cfg: CfgNode, opener: VideoOpener, manifest: ListedVideos, *, name: str) -> FeatureRows:
    """The rows of all videos of a list, cached beside the features of the network; decoded small, on the CPU."""
    sides = [side for side in (cfg.DATA.SHORT_SIDE_PIXELS, _SHORT_SIDE_PIXELS) if side]
    opener = replace(opener, short_side_pixels=min(sides))
    workers = build_workers(cfg, manifest, torch.device("cpu"))
    extractor = FeatureExtractor(
        nn.Identity(),
        FloorDataset(WatchedVideos(build_videos(cfg, manifest, opener), workers)),
        make_views=lambda rows: rows,
        pool=lambda rows: rows,
        workers=workers,
        device=torch.device("cpu"),
    )
    folder = features_folder(cfg, name)
    about = {
        **describe_content(manifest),
        "short_side_pixels": opener.short_side_pixels,
        **opener.describe(),
    }
    return stored_features(
        folder.with_name(f"{folder.name}_floors"),
        extractor,
        num_videos=len(manifest),
        num_features=ROW_LENGTH,
        local_batch_size=cfg.EVAL.LOCAL_BATCH_SIZE,
        about=about,
        description=f"{name} frames",
    )


def _write_floors(
    cfg: CfgNode,
    train: ListedVideos,
    test: ListedVideos,
    accuracies: Mapping[str, float],
    *,
    num_videos: int,
) -> None:
    """Write the floors to the output folder and beside the test list; that this cannot be written is no error."""
    titles = random_floors(cfg)
    floors = [
        Floor(titles.get(name, name.replace("_", " ")), value, error_of_share(value, num_videos=num_videos))
        for name, value in accuracies.items()
    ]
    lists = lists_record(cfg, train, test)
    own = Path(cfg.RUN.OUTPUT_DIR) / FLOORS_FILE
    write_text(own, add_floors(own, lists["digest"], floors))
    if not lists["floors_file"]:
        LOGGER.info("%s has no folder here: %s serves evaluations in folders beside this run", test.origin, own)
        return
    beside = Path(lists["floors_file"])
    try:
        write_text(beside, add_floors(beside, lists["digest"], floors))
    except OSError as error:
        reason = reason_of(error)
        LOGGER.info("%s cannot be written (%s): %s serves evaluations in folders beside this run", beside, reason, own)
    else:
        LOGGER.info("wrote %s and %s", own, beside)
