"""The training and test videos of DATA.SOURCE from the config."""

from fvcore.common.config import CfgNode

from sce_video.data.sources.source import Listing
from sce_video.data.sources.table import SOURCES
from sce_video.data.videos import ListedVideos
from sce_video.errors import ConfigError


def read_train_videos(cfg: CfgNode) -> ListedVideos:
    return SOURCES[cfg.DATA.SOURCE].read_train(_listing(cfg))


def read_test_videos(cfg: CfgNode) -> ListedVideos:
    """Raises ConfigError if DATA.SOURCE has none."""
    read = SOURCES[cfg.DATA.SOURCE].read_test
    if read is None:
        raise ConfigError(f"DATA.SOURCE is {cfg.DATA.SOURCE}; it has no test videos")
    return read(_listing(cfg))


def read_images(cfg: CfgNode) -> ListedVideos:
    """The images of joint pretraining."""
    listing = Listing(
        root=cfg.DATA.IMAGE_ROOT,
        train=cfg.DATA.IMAGE_TRAIN,
        test="",
        splits_dir="",
        split=1,
        columns="",
        cache_dir=cfg.DATA.CACHE_DIR,
    )
    return SOURCES[cfg.DATA.IMAGE_SOURCE].read_train(listing)


def _listing(cfg: CfgNode) -> Listing:
    return Listing(
        root=cfg.DATA.ROOT,
        train=cfg.DATA.TRAIN,
        test=cfg.DATA.TEST,
        splits_dir=cfg.DATA.SPLITS_DIR,
        split=cfg.DATA.SPLIT,
        columns=cfg.DATA.LIST_COLUMNS,
        cache_dir=cfg.DATA.CACHE_DIR,
    )
