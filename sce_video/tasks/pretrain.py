"""Pretraining task."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.batch import TrainBatch, make_views
from sce_video.build.data import build_image_manifest, build_joint_loader, build_train_loader, build_train_manifest
from sce_video.build.files import build_videos
from sce_video.build.method import build_method
from sce_video.build.optim import build_optimizer, build_schedules
from sce_video.build.probes import build_probes
from sce_video.build.training import Work, assemble_run, backbone_of, build_precision, to_device
from sce_video.build.views import build_views
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.models.weights import BACKBONE_FILE, save_backbone
from sce_video.runtime.logging import LOGGER
from sce_video.tasks.decoder import DECODER_FILE, choose_opener, save_decoder_choice
from sce_video.train.loop import ConfigRecord, Run, train
from sce_video.train.plan import Rates
from sce_video.train.probes.base import Seen
from sce_video.train.resume import resume
from sce_video.train.step import pretrain_step, replica_of


def pretrain_task(cfg: CfgNode, device: torch.device, config: ConfigRecord) -> Work:
    """Pretrain to the end, or to TRAIN.STOP_AT_STEP; the finished backbone is written as safetensors."""
    run = build_pretrain_run(cfg, device, config)
    return partial(_pretrain, cfg, run, device, step=resume(run))


def _pretrain(cfg: CfgNode, run: Run, device: torch.device, *, step: int) -> None:
    choice_file = run.output_dir / DECODER_FILE
    save_decoder_choice(cfg, run.record["decoder"], videos=run.record["videos"], choice_file=choice_file)
    LOGGER.info(
        "pretraining %s for %d steps (%d per epoch) on %s",
        cfg.MODEL.BACKBONE,
        run.plan.num_steps,
        run.plan.steps_per_epoch,
        device,
    )
    if train(run, step=step) and is_main_process():
        path = run.output_dir / BACKBONE_FILE
        save_backbone(backbone_of(run.model), path, name=cfg.MODEL.BACKBONE, step=run.plan.num_steps)
        LOGGER.info("wrote %s", path)


def build_pretrain_run(cfg: CfgNode, device: torch.device, config: ConfigRecord) -> Run:
    manifest, images = build_train_manifest(cfg), build_image_manifest(cfg)
    views = build_views(cfg)
    opener = choose_opener(cfg, manifest, choice_file=Path(cfg.RUN.OUTPUT_DIR) / DECODER_FILE)
    videos = build_videos(cfg, manifest, opener)
    if images is None:
        loader = build_train_loader(cfg, videos, views, device)
    else:
        loader = build_joint_loader(cfg, videos, build_videos(cfg, images, opener), views, device)
    model = to_device(cfg, build_method(cfg, steps_per_epoch=loader.steps_per_epoch), device)
    replica = replica_of(model, device)
    optimizer, precision = build_optimizer(cfg, model), build_precision(cfg, model, device)
    lists = [manifest] if images is None else [manifest, images]
    num_steps = cfg.TRAIN.NUM_EPOCHS * loader.steps_per_epoch
    probes = build_probes(cfg, model, lists, device, num_steps=num_steps)

    def take_step(parts: Sequence[TrainBatch], rates: Rates, *, step: int) -> torch.Tensor:
        return pretrain_step(
            parts,
            rates,
            replica=replica,
            optimizer=optimizer,
            precision=precision,
            make_views=partial(make_views, specs=views, device=device),
            look=lambda method: probes.look(Seen(step, parts, rates, method)),
        )

    return assemble_run(
        cfg,
        lists,
        opener,
        loader,
        config,
        model=model,
        optimizer=optimizer,
        precision=precision,
        take_step=take_step,
        schedules=build_schedules(cfg, loader.steps_per_epoch, model),
        probes=probes,
    )
