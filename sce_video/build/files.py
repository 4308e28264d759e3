"""Video opener, and cache of remote videos, from the config."""

import os
import stat
import tempfile
from functools import partial
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.clips.decoders import VideoOpener
from sce_video.clips.decoders.frame_names import FrameNamesError, check_pattern
from sce_video.data.videos import ListedVideos, StoredVideos
from sce_video.engine.remote.cache import CacheError, FileCache, disk_errors
from sce_video.engine.remote.videos import VideoFiles
from sce_video.errors import ConfigError


def build_opener(cfg: CfgNode) -> VideoOpener:
    """With DATA.DECODER, or pyav where that is still to be decided (auto).

    Raises:
        ConfigError: DATA.FRAMES_PATTERN is none.
    """
    try:
        if cfg.DATA.FRAMES_PATTERN:
            check_pattern(cfg.DATA.FRAMES_PATTERN)
    except FrameNamesError as error:
        raise ConfigError(f"DATA.FRAMES_PATTERN {error}") from error
    return VideoOpener(
        "pyav" if cfg.DATA.DECODER == "auto" else cfg.DATA.DECODER,
        short_side_pixels=cfg.DATA.SHORT_SIDE_PIXELS,
        frames_fps=cfg.DATA.FRAMES_FPS,
        frames_pattern=cfg.DATA.FRAMES_PATTERN,
    )


def build_videos(cfg: CfgNode, listed: ListedVideos, opener: VideoOpener) -> StoredVideos:
    """The videos of a list, remote ones by way of the cache.

    Raises:
        CacheError: there are such, and DATA.CACHE_DIR cannot be used.
    """
    return listed.opened_by(opener, partial(build_video_files, cfg))


def build_video_files(cfg: CfgNode) -> VideoFiles:
    """Raises CacheError: DATA.CACHE_DIR cannot be used."""
    cache = FileCache(_cache_folder(cfg), limit_bytes=int(cfg.DATA.CACHE_GB * 1e9))
    cache.prepare()
    return VideoFiles(cache)


def build_index_folder(cfg: CfgNode) -> Path:
    """Where the contents of shards are kept, beside the videos and not counted with them."""
    return _cache_folder(cfg) / "shards"


def _cache_folder(cfg: CfgNode) -> Path:
    return Path(cfg.DATA.CACHE_DIR) if cfg.DATA.CACHE_DIR else own_folder(Path(tempfile.gettempdir()))


def own_folder(temporary: Path) -> Path:
    """This user's folder in one that all can write to, where another user may have made it first.

    Raises:
        CacheError: it is not this user's alone, or cannot be made.
    """
    folder = temporary / f"sce_video_cache_{os.getuid()}"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheError(f"{folder} can be written by others; give DATA.CACHE_DIR a folder of your own")
    return folder
