"""Supervised training tasks, of all weights or of a classifier only, followed by a multi-view test."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from sce_video.augment.batch import TrainBatch, make_views
from sce_video.build.data import build_test_manifest, build_train_loader, build_train_manifest
from sce_video.build.files import build_videos
from sce_video.build.model import build_classifier
from sce_video.build.optim import build_finetune_optimizer, build_schedules
from sce_video.build.training import Work, assemble_run, build_precision, to_device
from sce_video.build.views import build_views
from sce_video.clips.decoders import VideoOpener
from sce_video.data.checks import require_comparable
from sce_video.data.videos import ListedVideos
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.evaluate.features import labeled
from sce_video.evaluate.metrics import classification_metrics
from sce_video.evaluate.records import PREDICTIONS_FILE, write_predictions
from sce_video.models.classifier import Classifier
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.cached_features import describe_views, features_of
from sce_video.tasks.decoder import DECODER_FILE, choose_opener, save_decoder_choice
from sce_video.tasks.results import lists_record, write_evaluation_results
from sce_video.train.loop import ConfigRecord, Run, train
from sce_video.train.plan import Rates
from sce_video.train.resume import resume
from sce_video.train.step import Supervision, finetune_step, replica_of


def finetune_task(cfg: CfgNode, device: torch.device, config: ConfigRecord) -> Work:
    """Train backbone and classifier on labels, to the end or to TRAIN.STOP_AT_STEP; then test."""
    dropout, num_trained_blocks = cfg.MODEL.DROPOUT, cfg.MODEL.NUM_TRAINED_BLOCKS
    return _train_and_test(cfg, device, config, dropout=dropout, num_trained_blocks=num_trained_blocks)


def linear_task(cfg: CfgNode, device: torch.device, config: ConfigRecord) -> Work:
    """Train a linear classifier on the frozen backbone in eval mode, without dropout; then test."""
    return _train_and_test(cfg, device, config, dropout=0.0, num_trained_blocks=0)


def _train_and_test(
    cfg: CfgNode, device: torch.device, config: ConfigRecord, *, dropout: float, num_trained_blocks: int
) -> Work:
    """Train, then test the weights of the last step, not the best on the test videos."""
    train_manifest, test_manifest = build_train_manifest(cfg), build_test_manifest(cfg)
    require_comparable(train_manifest, test_manifest)
    classifier, weights = build_classifier(
        cfg,
        num_classes=max(train_manifest.require_labels()) + 1,
        dropout=dropout,
        num_trained_blocks=num_trained_blocks,
    )
    opener = choose_opener(cfg, train_manifest, choice_file=Path(cfg.RUN.OUTPUT_DIR) / DECODER_FILE)
    classifier = to_device(cfg, classifier, device)
    run = build_finetune_run(cfg, device, config, train_manifest, opener, classifier)
    step = resume(run)
    recipe = {**_recipe(cfg), "dropout": dropout, "num_trained_blocks": num_trained_blocks}

    def work() -> None:
        choice_file = run.output_dir / DECODER_FILE
        save_decoder_choice(cfg, opener.decoder, videos=run.record["videos"], choice_file=choice_file)
        LOGGER.info(
            "%s: %s for %d steps (%d per epoch) on %s",
            cfg.TASK,
            weights,
            run.plan.num_steps,
            run.plan.steps_per_epoch,
            device,
        )
        if train(run, step=step):
            protocol = {**describe_views(cfg, opener, train=train_manifest, test=test_manifest), **recipe}
            _test(
                cfg,
                run,
                classifier,
                device,
                opener,
                test_manifest,
                protocol=protocol,
                weights=weights,
                class_names=train_manifest.class_names,
                lists=lists_record(cfg, train_manifest, test_manifest),
            )

    return work


def _test(
    cfg: CfgNode,
    run: Run,
    classifier: Classifier,
    device: torch.device,
    opener: VideoOpener,
    test_manifest: ListedVideos,
    *,
    protocol: dict[str, Any],
    weights: str,
    class_names: Mapping[int, str] | None,
    lists: Mapping[str, str],
) -> None:
    probabilities = nn.Sequential(classifier, nn.Softmax(dim=1))
    num_classes = classifier.linear.out_features
    rows = features_of(cfg, probabilities, device, opener, test_manifest, num_features=num_classes, name="test")
    test = labeled(rows, test_manifest.require_labels())
    if is_main_process():
        write_predictions(run.output_dir / PREDICTIONS_FILE, test, test_manifest.shown_paths, test.features)
    write_evaluation_results(
        cfg,
        classification_metrics(test.features, test.labels, name=cfg.TASK),
        protocol,
        test=test,
        predicted=test.features.argmax(dim=1),
        weights=weights,
        class_names=class_names,
        lists=lists,
        num_failed_in_training=len(run.failures),
    )


def build_finetune_run(
    cfg: CfgNode,
    device: torch.device,
    config: ConfigRecord,
    manifest: ListedVideos,
    opener: VideoOpener,
    classifier: Classifier,
) -> Run:
    views = build_views(cfg)[:1]
    loader = build_train_loader(cfg, build_videos(cfg, manifest, opener), views, device)
    optimizer, precision = build_finetune_optimizer(cfg, classifier), build_precision(cfg, classifier, device)
    replica = replica_of(classifier, device)
    supervision = Supervision(
        labels=torch.tensor(manifest.require_labels()),
        num_classes=classifier.linear.out_features,
        label_smoothing=cfg.TRAIN.LABEL_SMOOTHING,
        mixup_alpha=cfg.TRAIN.MIXUP_ALPHA,
    )

    def take_step(parts: Sequence[TrainBatch], rates: Rates, *, step: int) -> torch.Tensor:
        return finetune_step(
            parts,
            rates,
            step=step,
            seed=cfg.RUN.SEED,
            replica=replica,
            optimizer=optimizer,
            precision=precision,
            make_views=partial(make_views, specs=views, device=device),
            supervision=supervision,
        )

    return assemble_run(
        cfg,
        [manifest],
        opener,
        loader,
        config,
        model=classifier,
        optimizer=optimizer,
        precision=precision,
        take_step=take_step,
        schedules=build_schedules(cfg, loader.steps_per_epoch),
    )


def _recipe(cfg: CfgNode) -> dict[str, Any]:
    """Settings recorded with the results; config.yaml has the others."""
    return {
        "num_epochs": cfg.TRAIN.NUM_EPOCHS,
        "global_batch_size": cfg.TRAIN.GLOBAL_BATCH_SIZE,
        "optimizer": cfg.OPTIM.NAME,
        "base_lr": cfg.OPTIM.BASE_LR,
        "weight_decay": cfg.OPTIM.WEIGHT_DECAY,
        "layer_decay": cfg.OPTIM.LAYER_DECAY,
        "label_smoothing": cfg.TRAIN.LABEL_SMOOTHING,
        "mixup_alpha": cfg.TRAIN.MIXUP_ALPHA,
    }
