"""Manifests, recipes, data sets and loaders from the config."""

from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.recipes import ViewRecipe
from sce_video.clips.decoders import DecodeError, open_video
from sce_video.data.dataset import ClipFormat, PretrainDataset
from sce_video.data.loader import PretrainLoader, available_cores
from sce_video.data.manifest import Manifest
from sce_video.data.sources import (
    class_folders,
    read_class_folders,
    read_folder,
    read_hmdb51,
    read_list,
    read_ucf101,
)
from sce_video.errors import ConfigError
from sce_video.evaluate.views import ViewProtocol, ViewsDataset

_NUM_PROBED = 8


def build_train_manifest(cfg: CfgNode) -> Manifest:
    root = Path(cfg.DATA.ROOT)
    source = cfg.DATA.SOURCE
    if source == "list":
        manifest = read_list(Path(cfg.DATA.TRAIN), root)
    elif source == "class_folders":
        manifest = read_class_folders(root, cfg.DATA.TRAIN)
    elif source == "folder":
        manifest = read_folder(root, cfg.DATA.TRAIN)
    else:
        manifest, _ = _official_split(cfg)
    manifest.require_files()
    return manifest


def build_test_manifest(cfg: CfgNode) -> Manifest:
    root = Path(cfg.DATA.ROOT)
    source = cfg.DATA.SOURCE
    if source == "list":
        manifest = read_list(Path(cfg.DATA.TEST), root)
    elif source == "class_folders":
        manifest = read_class_folders(root, cfg.DATA.TEST, class_names=class_folders(root, cfg.DATA.TRAIN))
    else:
        _, manifest = _official_split(cfg)
    manifest.require_files()
    return manifest


def _official_split(cfg: CfgNode) -> tuple[Manifest, Manifest]:
    read = {"ucf101": read_ucf101, "hmdb51": read_hmdb51}[cfg.DATA.SOURCE]
    return read(Path(cfg.DATA.ROOT), Path(cfg.DATA.SPLITS_DIR), cfg.DATA.SPLIT)


def build_recipes(cfg: CfgNode) -> list[ViewRecipe]:
    """The recipes of view 1 and view 2."""
    return [
        ViewRecipe(
            temporal_difference_probability=cfg.AUG.TEMPORAL_DIFFERENCE_PROBABILITY,
            crop_area=tuple(cfg.AUG.CROP_AREA),
            crop_aspect=tuple(cfg.AUG.CROP_ASPECT),
            jitter_probability=cfg.AUG.JITTER_PROBABILITY,
            color_strength=cfg.AUG.COLOR_STRENGTH,
            grayscale_probability=cfg.AUG.GRAYSCALE_PROBABILITY,
            blur_probability=blur,
            blur_kernel_pixels=cfg.AUG.BLUR_KERNEL_PIXELS,
            blur_sigma_pixels=tuple(cfg.AUG.BLUR_SIGMA_PIXELS),
            solarize_probability=solarize,
            flip_probability=cfg.AUG.FLIP_PROBABILITY,
            mean=tuple(cfg.AUG.MEAN),
            std=tuple(cfg.AUG.STD),
        )
        for blur, solarize in zip(cfg.AUG.BLUR_PROBABILITIES, cfg.AUG.SOLARIZE_PROBABILITIES, strict=True)
    ]


def build_pretrain_loader(
    cfg: CfgNode, manifest: Manifest, recipes: list[ViewRecipe], device: torch.device
) -> PretrainLoader:
    _require_long_enough(cfg, manifest)
    dataset = PretrainDataset(
        manifest,
        recipes=recipes,
        clip_format=ClipFormat(
            seconds=cfg.CLIP.SECONDS, num_frames=cfg.CLIP.NUM_FRAMES, size_pixels=cfg.CLIP.SIZE_PIXELS
        ),
        decoder=cfg.DATA.DECODER,
        seed=cfg.RUN.SEED,
    )
    return PretrainLoader(
        dataset,
        global_batch_size=cfg.TRAIN.GLOBAL_BATCH_SIZE,
        accumulation_steps=cfg.TRAIN.ACCUMULATION_STEPS,
        num_workers=build_num_workers(cfg),
        prefetch_batches=cfg.DATA.PREFETCH_BATCHES,
        pin_memory=device.type == "cuda",
        seed=cfg.RUN.SEED,
    )


def build_num_workers(cfg: CfgNode) -> int:
    workers: int = cfg.DATA.NUM_WORKERS
    return available_cores() if workers < 0 else workers


def build_protocol(cfg: CfgNode) -> ViewProtocol:
    return ViewProtocol(
        num_clips=cfg.EVAL.NUM_CLIPS,
        clip_seconds=cfg.CLIP.SECONDS,
        num_frames=cfg.CLIP.NUM_FRAMES,
        num_crops=cfg.EVAL.NUM_CROPS,
        size_pixels=cfg.EVAL.SIZE_PIXELS,
    )


def build_views_dataset(cfg: CfgNode, manifest: Manifest) -> ViewsDataset:
    paths = [manifest.path(video) for video in range(len(manifest))]
    return ViewsDataset(paths, protocol=build_protocol(cfg), decoder=cfg.DATA.DECODER)


def _require_long_enough(cfg: CfgNode, manifest: Manifest) -> None:
    """Refuse clips longer than the videos: both views would always be the same frames."""
    lengths = []
    for video in range(min(len(manifest), _NUM_PROBED)):
        try:
            with open_video(manifest.path(video), decoder=cfg.DATA.DECODER) as opened:
                lengths.append(opened.metadata.duration_seconds)
        except DecodeError:
            continue  # counted and named when its turn comes
    if cfg.CLIP.NUM_FRAMES > 1 and lengths and max(lengths) < cfg.CLIP.SECONDS:
        raise ConfigError(
            f"CLIP.SECONDS is {cfg.CLIP.SECONDS}, but the longest of the first {len(lengths)} videos of "
            f"{manifest.origin} lasts {max(lengths):.2f} s; give a shorter clip"
        )
