"""Manifests, data sets and loaders from the config."""

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.recipes import ViewSpec
from sce_video.build.sources import read_images, read_test_videos, read_train_videos
from sce_video.build.views import build_clip_sampling, build_image_views
from sce_video.build.workers import build_no_workers, build_probe_worker, build_workers
from sce_video.clips.decoders import DecodeError, Videos
from sce_video.data.checks import require_files, warn_of_duplicates
from sce_video.data.dataset import JointDataset, TrainDataset
from sce_video.data.device_images import DeviceImages
from sce_video.data.joined import JoinedVideos
from sce_video.data.loader import DeviceLoader, TrainLoader
from sce_video.data.order import JointOrder, ListOrder, Order, image_steps
from sce_video.data.storage import ImageArray
from sce_video.data.videos import ListedVideos, StoredVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.cluster.collectives import is_main_process, num_ranks, rank
from sce_video.errors import ConfigError
from sce_video.runtime.logging import LOGGER

_NUM_PROBED = 8


def build_train_manifest(cfg: CfgNode, *, max_missing_share: float | None = None) -> ListedVideos:
    """The training videos, reduced to EVAL.LABEL_SHARE.

    Args:
        max_missing_share: of the files; None: DATA.MAX_FAILED_SHARE.
    """
    manifest = _checked(cfg, read_train_videos(cfg), max_missing_share)
    share = cfg.EVAL.LABEL_SHARE
    return manifest if share == 1 else manifest.balanced_part(share=share, seed=cfg.RUN.SEED)


def build_test_manifest(cfg: CfgNode, *, max_missing_share: float | None = None) -> ListedVideos:
    """The test videos; for `max_missing_share` see `build_train_manifest`."""
    return _checked(cfg, read_test_videos(cfg), max_missing_share)


def build_image_manifest(cfg: CfgNode) -> ListedVideos | None:
    """The images of joint pretraining; None without."""
    if cfg.DATA.IMAGE_SHARE == 0:
        return None
    return _checked(cfg, read_images(cfg), None, root_key="DATA.IMAGE_ROOT")


def _checked(
    cfg: CfgNode, manifest: ListedVideos, max_missing_share: float | None, *, root_key: str = "DATA.ROOT"
) -> ListedVideos:
    most = cfg.DATA.MAX_FAILED_SHARE if max_missing_share is None else max_missing_share
    require_files(manifest, max_missing_share=most, root_key=root_key)
    if is_main_process():
        warn_of_duplicates(manifest)
    return manifest


def build_train_loader(
    cfg: CfgNode, videos: StoredVideos, views: Sequence[ViewSpec], device: torch.device
) -> TrainLoader | DeviceLoader:
    _require_long_enough(cfg, videos, views)
    order, storage = _list_order(cfg, len(videos)), videos.listed.storage
    if isinstance(storage, ImageArray) and cfg.DATA.ON_DEVICE:
        rows = list(map(storage.image, videos.listed.paths))
        images = DeviceImages(storage.pixels, rows, views=views, seed=cfg.RUN.SEED, device=device)
        return DeviceLoader(images, workers=build_no_workers(cfg, videos.listed), **_parts(cfg, order, device))
    workers = build_workers(cfg, videos.listed, device)
    dataset = build_train_dataset(cfg, WatchedVideos(videos, workers), views)
    return TrainLoader(dataset, workers=workers, **_parts(cfg, order, device))


def build_joint_loader(
    cfg: CfgNode, videos: StoredVideos, images: StoredVideos, views: Sequence[ViewSpec], device: torch.device
) -> TrainLoader:
    """Batches of videos and of images; indices of images follow those of the videos.

    Args:
        views: of the videos; those of the images are the same with one frame.
    """
    _require_long_enough(cfg, videos, views)
    joined = JoinedVideos([videos, images])
    workers = build_workers(cfg, joined.listed, device)
    watched = WatchedVideos(joined, workers)
    of_videos, of_images = joined.listed.parts
    dataset = JointDataset(
        [
            build_train_dataset(cfg, watched, views, part=of_videos),
            build_train_dataset(cfg, watched, build_image_views(cfg), part=of_images),
        ]
    )
    order = JointOrder(
        videos=_list_order(cfg, len(videos)),
        images=_list_order(cfg, len(images), first=of_images.start, noun="images"),
        image_share=_image_share(cfg),
    )
    LOGGER.info(
        "of the %d steps of an epoch %d are of images, %s",
        order.steps_per_epoch,
        order.num_image_steps,
        images.listed.origin,
    )
    return TrainLoader(dataset, workers=workers, **_parts(cfg, order, device))


def num_steps(cfg: CfgNode, num_videos: int) -> tuple[int, int]:
    """The steps of an epoch, and how many of them are of images."""
    of_videos = num_videos // cfg.TRAIN.GLOBAL_BATCH_SIZE
    of_images = image_steps(of_videos, _image_share(cfg))
    return of_videos + of_images, of_images


def _image_share(cfg: CfgNode) -> Fraction:
    """DATA.IMAGE_SHARE as it is written: 0.1 is a tenth, which no float is."""
    return Fraction(str(cfg.DATA.IMAGE_SHARE))


def _list_order(cfg: CfgNode, num_videos: int, *, first: int = 0, noun: str = "videos") -> ListOrder:
    return ListOrder(num_videos, cfg.TRAIN.GLOBAL_BATCH_SIZE, cfg.RUN.SEED, first=first, noun=noun)


def _parts(cfg: CfgNode, order: Order, device: torch.device) -> dict[str, Any]:
    """The arguments of a loader: which videos are in each part of a batch, on this rank."""
    part_of_rank = cfg.TRAIN.GLOBAL_BATCH_SIZE // (cfg.TRAIN.ACCUMULATION_STEPS * num_ranks())
    if num_ranks() > 1 and device.type == "cpu" and part_of_rank < 2:
        raise ConfigError(
            f"TRAIN.GLOBAL_BATCH_SIZE is {cfg.TRAIN.GLOBAL_BATCH_SIZE}; on a CPU batch norm needs 2 videos per part "
            f"on each of the {num_ranks()} ranks"
        )
    return {
        "order": order,
        "accumulation_steps": cfg.TRAIN.ACCUMULATION_STEPS,
        "rank": rank(),
        "num_ranks": num_ranks(),
    }


def build_train_dataset(
    cfg: CfgNode, videos: Videos, views: Sequence[ViewSpec], *, part: range | None = None
) -> TrainDataset:
    return TrainDataset(videos, views=views, sampling=build_clip_sampling(cfg), seed=cfg.RUN.SEED, part=part)


def _require_long_enough(cfg: CfgNode, videos: StoredVideos, views: Sequence[ViewSpec]) -> None:
    """Refuse clips longer than the videos, since all views of a video would have the same frames."""
    worker = build_probe_worker(cfg, videos.listed)
    probed = range(0, len(videos), max(1, len(videos) // _NUM_PROBED))
    measure = partial(_length_of, WatchedVideos(videos, worker))
    lengths = [length for length in worker.results(measure, probed) if length is not None]
    moving = [view for view in views if view.num_frames > 1]
    if not moving or not lengths:
        return
    if all(num_frames == 1 for _, num_frames in lengths):
        raise ConfigError(
            f"CLIP.NUM_FRAMES is {moving[0].num_frames}, but the {len(lengths)} videos probed of "
            f"{videos.listed.origin} are single images; set CLIP.NUM_FRAMES 1"
        )
    longest, needed = max(seconds for seconds, _ in lengths), max(view.seconds for view in moving)
    if longest < needed:
        key = "CLIP.SECONDS" if needed == cfg.CLIP.SECONDS else "CLIP.LOCAL_SECONDS"
        raise ConfigError(
            f"{key} is {needed}, but the longest of {len(lengths)} videos probed of "
            f"{videos.listed.origin} lasts {longest:.2f} s; set a shorter one"
        )


def _length_of(videos: Videos, video: int) -> tuple[float, int] | None:
    """Seconds and frames of a video; None if it is broken, which training counts and logs."""
    try:
        with videos.open(video) as opened:
            return opened.metadata.duration_seconds, opened.metadata.num_frames
    except DecodeError:
        return None
