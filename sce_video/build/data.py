"""Manifests, data sets and loaders from the config."""

from collections.abc import Sequence
from functools import partial

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.recipes import ViewSpec
from sce_video.build.sources import read_test_videos, read_train_videos
from sce_video.build.views import build_clip_sampling
from sce_video.build.workers import build_probe_worker, build_workers
from sce_video.clips.decoders import DecodeError, Videos
from sce_video.data.checks import require_files, warn_of_duplicates
from sce_video.data.dataset import TrainDataset
from sce_video.data.loader import TrainLoader
from sce_video.data.videos import ListedVideos, StoredVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.cluster.collectives import is_main_process, num_ranks, rank
from sce_video.errors import ConfigError

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


def _checked(cfg: CfgNode, manifest: ListedVideos, max_missing_share: float | None) -> ListedVideos:
    most = cfg.DATA.MAX_FAILED_SHARE if max_missing_share is None else max_missing_share
    require_files(manifest, max_missing_share=most)
    if is_main_process():
        warn_of_duplicates(manifest)
    return manifest


def build_train_loader(
    cfg: CfgNode, videos: StoredVideos, views: Sequence[ViewSpec], device: torch.device
) -> TrainLoader:
    _require_long_enough(cfg, videos, views)
    part_of_rank = cfg.TRAIN.GLOBAL_BATCH_SIZE // (cfg.TRAIN.ACCUMULATION_STEPS * num_ranks())
    if num_ranks() > 1 and device.type == "cpu" and part_of_rank < 2:
        raise ConfigError(
            f"TRAIN.GLOBAL_BATCH_SIZE is {cfg.TRAIN.GLOBAL_BATCH_SIZE}; on a CPU batch norm needs 2 videos per part "
            f"on each of the {num_ranks()} ranks"
        )
    workers = build_workers(cfg, videos.listed, device)
    return TrainLoader(
        build_train_dataset(cfg, WatchedVideos(videos, workers), views),
        workers=workers,
        global_batch_size=cfg.TRAIN.GLOBAL_BATCH_SIZE,
        accumulation_steps=cfg.TRAIN.ACCUMULATION_STEPS,
        seed=cfg.RUN.SEED,
        rank=rank(),
        num_ranks=num_ranks(),
    )


def build_train_dataset(cfg: CfgNode, videos: Videos, views: Sequence[ViewSpec]) -> TrainDataset:
    return TrainDataset(videos, views=views, sampling=build_clip_sampling(cfg), seed=cfg.RUN.SEED)


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
