"""Which sources of videos may be URLs."""

from fvcore.common.config import CfgNode

from sce_video.errors import ConfigError
from sce_video.urls import is_url, masked_url

# In these TRAIN and TEST name files; elsewhere folders below ROOT.
_SOURCES_OF_FILES = ("list", "kinetics", "kinetics200", "shards")
# These read a folder of many files per video, or files whose format another library reads.
_LOCAL_SOURCES = ("frame_folders", "cifar10", "cifar100", "stl10")
# These look for files below DATA.ROOT, which HTTP cannot list.
_WALKING_SOURCES = ("kinetics", "kinetics200", "ssv2", "class_folders", "image_folders", "folder")


def check_remote(cfg: CfgNode) -> None:
    """Raise ConfigError for a URL that the source of the videos cannot use."""
    source, root = cfg.DATA.SOURCE, cfg.DATA.ROOT
    for name in ("TRAIN", "TEST"):
        if is_url(cfg.DATA[name]) and source not in _SOURCES_OF_FILES:
            shown = f"DATA.{name} is {masked_url(cfg.DATA[name])!r}"
            raise ConfigError(f"{shown}; DATA.SOURCE {source} reads a folder below DATA.ROOT: put the URL there")
    if not is_url(root):
        return
    if source in _LOCAL_SOURCES:
        raise ConfigError(f"DATA.ROOT is {masked_url(root)!r}; DATA.SOURCE {source} reads local folders only")
    if source in _WALKING_SOURCES and root.lower().startswith(("http://", "https://")):
        raise ConfigError(
            f"DATA.ROOT is {masked_url(root)!r}; HTTP cannot list folders, which DATA.SOURCE {source} looks through: "
            "give a list of the paths (DATA.SOURCE list)"
        )
