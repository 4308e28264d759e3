"""Views of a video in evaluation, from the config."""

from fvcore.common.config import CfgNode

from sce_video.data.videos import StoredVideos
from sce_video.data.watched import WatchedVideos
from sce_video.engine.pool.workers import Workers
from sce_video.evaluate.examine.clips import ExaminedDataset
from sce_video.evaluate.views import ViewProtocol, ViewsDataset


def build_views_dataset(cfg: CfgNode, videos: StoredVideos, workers: Workers) -> ViewsDataset:
    return ViewsDataset(WatchedVideos(videos, workers), protocol=build_protocol(cfg))


def build_examined_dataset(cfg: CfgNode, videos: StoredVideos, workers: Workers) -> ExaminedDataset:
    return ExaminedDataset(WatchedVideos(videos, workers), protocol=build_examined_protocol(cfg))


def build_examined_protocol(cfg: CfgNode) -> ViewProtocol:
    """The views of TASK examine: clips in their central crop, which settings of other tasks do not change."""
    return _protocol(cfg)._replace(clips="examined")


def build_protocol(cfg: CfgNode) -> ViewProtocol:
    """The views of evaluation, which are deterministic: "jittered" frames are spread evenly."""
    num_clips = cfg.EVAL.NUM_CLIPS if cfg.EVAL.CLIPS == "evenly_spaced" else 0
    return _protocol(cfg)._replace(num_clips=num_clips, num_crops=cfg.EVAL.NUM_CROPS, clips=cfg.EVAL.CLIPS)


def _protocol(cfg: CfgNode) -> ViewProtocol:
    """Clips in one central crop."""
    return ViewProtocol(
        num_clips=0,
        clip_seconds=cfg.CLIP.SECONDS,
        num_frames=cfg.CLIP.NUM_FRAMES,
        num_crops=1,
        size_pixels=cfg.EVAL.SIZE_PIXELS,
        resize_pixels=cfg.EVAL.RESIZE_PIXELS,
        antialiased_resize=cfg.AUG.ANTIALIASED_RESIZE,
        frame_stride=cfg.CLIP.FRAME_STRIDE if cfg.CLIP.FRAME_CHOICE == "strided" else 0,
    )
