"""Video opener and cache of remote videos from the config."""

from functools import partial
from typing import TYPE_CHECKING

from fvcore.common.config import CfgNode

from sce_video.clips.decoders import VideoOpener
from sce_video.clips.decoders.frame_names import FrameNamesError, check_pattern
from sce_video.data.videos import ListedVideos, StoredVideos
from sce_video.errors import ConfigError

if TYPE_CHECKING:
    from sce_video.engine.remote.videos import VideoFiles


def build_opener(cfg: CfgNode) -> VideoOpener:
    """The opener for DATA.DECODER; pyav if that is "auto" and not decided yet.

    Raises:
        ConfigError: DATA.FRAMES_PATTERN is not a pattern.
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
    """The videos of a list, remote ones through the cache.

    Raises:
        CacheError: some are remote, and DATA.CACHE_DIR cannot be used.
    """
    return listed.opened_by(opener, partial(build_video_files, cfg))


def build_video_files(cfg: CfgNode) -> "VideoFiles":
    """Raises CacheError: DATA.CACHE_DIR cannot be used."""
    # Imported here because runs on local files do not need it.
    from sce_video.engine.remote.cache import FileCache, cache_folder
    from sce_video.engine.remote.videos import VideoFiles

    cache = FileCache(cache_folder(cfg.DATA.CACHE_DIR), limit_bytes=int(cfg.DATA.CACHE_GB * 1e9))
    cache.prepare()
    return VideoFiles(cache)
