"""Features of a video list, cached on disk, and the record of what they depend on."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from sce_video.augment.apply import plain_view
from sce_video.build.evaluation import build_protocol, build_views_dataset
from sce_video.build.files import build_videos
from sce_video.build.workers import build_workers
from sce_video.clips.decoders import VideoOpener
from sce_video.data.sources.lists import SPLIT_MARK
from sce_video.data.sources.table import SOURCES
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError
from sce_video.evaluate.feature_files import stored_features
from sce_video.evaluate.features import POOLS, FeatureExtractor, FeatureRows
from sce_video.evaluate.views import ViewProtocol, spatial_crops
from sce_video.models.representation import RGB
from sce_video.models.weights import weights_digest


def features_of(
    cfg: CfgNode,
    backbone: nn.Module,
    device: torch.device,
    opener: VideoOpener,
    manifest: ListedVideos,
    *,
    num_features: int,
    name: str,
) -> FeatureRows:
    """Features of all videos of a list, cached in `features_folder`.

    Args:
        num_features: length of a feature.
        name: of the list, train or test.
    Raises:
        ManifestError: no video can be decoded.
    """
    workers = build_workers(cfg, manifest, device)
    extractor = FeatureExtractor(
        backbone,
        build_views_dataset(cfg, build_videos(cfg, manifest, opener), workers),
        make_views=partial(_views_of, cfg),
        pool=partial(POOLS[cfg.EVAL.RETRIEVAL_LEVEL], num_crops=cfg.EVAL.NUM_CROPS),
        workers=workers,
        device=device,
    )
    about = {
        "weights": weights_digest(backbone),
        **describe_content(manifest),
        "rows": cfg.EVAL.RETRIEVAL_LEVEL,
        **describe_extraction(cfg, opener, build_protocol(cfg)),
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


def describe_content(manifest: ListedVideos) -> dict[str, str]:
    """What cached features of a list depend on besides network and views: its videos, where they are, their content."""
    return {
        "videos": manifest.digest(),
        "root": str(manifest.storage.root.absolute()),
        "content": manifest.content_digest(),
    }


def features_folder(cfg: CfgNode, name: str) -> Path:
    """Cache of a list's features; those of clips, and of a share of the labels, have folders of their own.

    Args:
        name: of the list, train or test.
    """
    level, share = cfg.EVAL.RETRIEVAL_LEVEL, cfg.EVAL.LABEL_SHARE
    of_level = "" if level == "video" else f"_{level}s"
    of_share = f"_share_{share:g}_seed_{cfg.RUN.SEED}" if share < 1 and name == "train" else ""
    return features_root(cfg) / f"{name}{of_level}{of_share}"


def features_root(cfg: CfgNode) -> Path:
    return Path(cfg.EVAL.FEATURES_DIR or Path(cfg.RUN.OUTPUT_DIR) / "features")


def _views_of(cfg: CfgNode, clips: Tensor) -> Tensor:
    views = spatial_crops(clips, num_crops=cfg.EVAL.NUM_CROPS, size_pixels=cfg.EVAL.SIZE_PIXELS)
    return plain_view(views, mean=tuple(cfg.AUG.MEAN), std=tuple(cfg.AUG.STD))


def describe_views(cfg: CfgNode, opener: VideoOpener, *, train: ListedVideos, test: ListedVideos) -> dict[str, Any]:
    """Protocol of an evaluation: videos, views and decoder."""
    return {
        **describe_extraction(cfg, opener, build_protocol(cfg)),
        **_videos(cfg, train=train, test=test),
        **({"retrieval_level": cfg.EVAL.RETRIEVAL_LEVEL} if cfg.TASK == "retrieval" else {}),
        "label_share": cfg.EVAL.LABEL_SHARE,
        "seed": cfg.RUN.SEED,
    }


def describe_extraction(cfg: CfgNode, opener: VideoOpener, protocol: ViewProtocol) -> dict[str, Any]:
    """Views and decoder."""
    return {
        **protocol._asdict(),
        **opener.describe(),
        "short_side_pixels": cfg.DATA.SHORT_SIDE_PIXELS,
        "frames_fps": cfg.DATA.FRAMES_FPS,
        **({"representation": cfg.MODEL.REPRESENTATION} if cfg.MODEL.REPRESENTATION != RGB else {}),
    }


def _videos(cfg: CfgNode, *, train: ListedVideos, test: ListedVideos) -> dict[str, Any]:
    """The official split, or names and digests of the two lists."""
    if SOURCES[cfg.DATA.SOURCE].has_splits:
        return {"source": cfg.DATA.SOURCE, "split": cfg.DATA.SPLIT}
    digests = {"train_videos": train.digest(), "test_videos": test.digest()}
    split = {"split": cfg.DATA.SPLIT} if SPLIT_MARK in cfg.DATA.TRAIN else {}
    return {"source": cfg.DATA.SOURCE, "train": cfg.DATA.TRAIN, "test": cfg.DATA.TEST, **split, **digests}
