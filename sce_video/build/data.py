"""Manifests, recipes, data sets and loaders from the config."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.recipes import ViewRecipe
from sce_video.clips.decoders import DecodeError, VideoOpener
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
from sce_video.data.videos import ListedVideos
from sce_video.errors import ConfigError
from sce_video.evaluate.views import ViewProtocol, ViewsDataset

_NUM_PROBED = 8


def build_train_manifest(cfg: CfgNode) -> Manifest:
    return _existing(TRAIN_SOURCES[cfg.DATA.SOURCE](cfg))


def build_test_manifest(cfg: CfgNode) -> Manifest:
    return _existing(TEST_SOURCES[cfg.DATA.SOURCE](cfg))


def _existing(manifest: Manifest) -> Manifest:
    manifest.require_files()
    return manifest


def _class_folders_test(cfg: CfgNode) -> Manifest:
    root = Path(cfg.DATA.ROOT)
    return read_class_folders(root, cfg.DATA.TEST, class_names=class_folders(root, cfg.DATA.TRAIN))


def _ucf101(cfg: CfgNode) -> tuple[Manifest, Manifest]:
    return read_ucf101(Path(cfg.DATA.ROOT), Path(cfg.DATA.SPLITS_DIR), cfg.DATA.SPLIT)


def _hmdb51(cfg: CfgNode) -> tuple[Manifest, Manifest]:
    return read_hmdb51(Path(cfg.DATA.ROOT), Path(cfg.DATA.SPLITS_DIR), cfg.DATA.SPLIT)


TRAIN_SOURCES: dict[str, Callable[[CfgNode], Manifest]] = {
    "list": lambda cfg: read_list(Path(cfg.DATA.TRAIN), Path(cfg.DATA.ROOT)),
    "ucf101": lambda cfg: _ucf101(cfg)[0],
    "hmdb51": lambda cfg: _hmdb51(cfg)[0],
    "class_folders": lambda cfg: read_class_folders(Path(cfg.DATA.ROOT), cfg.DATA.TRAIN),
    "folder": lambda cfg: read_folder(Path(cfg.DATA.ROOT), cfg.DATA.TRAIN),
}
TEST_SOURCES: dict[str, Callable[[CfgNode], Manifest]] = {
    "list": lambda cfg: read_list(Path(cfg.DATA.TEST), Path(cfg.DATA.ROOT)),
    "ucf101": lambda cfg: _ucf101(cfg)[1],
    "hmdb51": lambda cfg: _hmdb51(cfg)[1],
    "class_folders": _class_folders_test,
}


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
    videos = build_videos(cfg, manifest)
    _require_long_enough(cfg, videos)
    dataset = PretrainDataset(
        videos,
        recipes=recipes,
        clip_format=ClipFormat(
            seconds=cfg.CLIP.SECONDS, num_frames=cfg.CLIP.NUM_FRAMES, size_pixels=cfg.CLIP.SIZE_PIXELS
        ),
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
    videos = build_videos(cfg, manifest)
    with suppress(DecodeError):  # a decoder that is not installed is reported here, not by every loader process
        videos.open(0).__exit__(None, None, None)
    return ViewsDataset(videos, protocol=build_protocol(cfg))


def build_videos(cfg: CfgNode, manifest: Manifest) -> ListedVideos:
    return ListedVideos(manifest, VideoOpener(cfg.DATA.DECODER))


def _require_long_enough(cfg: CfgNode, videos: ListedVideos) -> None:
    """Refuse clips longer than the videos: both views would always be the same frames."""
    lengths = []
    for video in range(0, len(videos), max(1, len(videos) // _NUM_PROBED)):
        try:
            with videos.open(video) as opened:
                lengths.append(opened.metadata.duration_seconds)
        except DecodeError:
            continue  # counted and named when its turn comes
    if cfg.CLIP.NUM_FRAMES > 1 and lengths and max(lengths) < cfg.CLIP.SECONDS:
        raise ConfigError(
            f"CLIP.SECONDS is {cfg.CLIP.SECONDS}, but the longest of {len(lengths)} videos looked at in "
            f"{videos.manifest.origin} lasts {max(lengths):.2f} s; give a shorter clip"
        )
