"""Where videos that are not files of this machine are kept while they are used, from the config."""

import os
import tempfile
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.clips.decoders import VideoOpener
from sce_video.data.cache import FileCache
from sce_video.data.fetched import VideoFiles
from sce_video.data.manifest import Manifest
from sce_video.data.videos import ListedVideos


def build_videos(cfg: CfgNode, manifest: Manifest, opener: VideoOpener) -> ListedVideos:
    """The videos of a list, remote ones by way of the cache.

    Raises:
        CacheError: there are such, and DATA.CACHE_DIR cannot be used.
    """
    if not manifest.is_any_fetched:
        return ListedVideos(manifest, opener)
    cache = FileCache(_cache_folder(cfg), limit_bytes=int(cfg.DATA.CACHE_GB * 1e9))
    cache.prepare()
    return ListedVideos(manifest, opener, VideoFiles(cache))


def build_index_folder(cfg: CfgNode) -> Path:
    """Where the contents of shards are kept, beside the videos and not counted with them."""
    return _cache_folder(cfg) / "shards"


def _cache_folder(cfg: CfgNode) -> Path:
    if cfg.DATA.CACHE_DIR:
        return Path(cfg.DATA.CACHE_DIR)
    return Path(tempfile.gettempdir()) / f"sce_video_cache_{os.getuid()}"
