"""Checks of URLs in DATA."""

from fvcore.common.config import CfgNode

from sce_video.data.sources.table import SOURCES
from sce_video.errors import ConfigError
from sce_video.urls import is_url, masked_url


def check_remote(cfg: CfgNode) -> None:
    """Raise ConfigError for a URL that DATA.SOURCE cannot use."""
    source, named, root = SOURCES[cfg.DATA.SOURCE], f"DATA.SOURCE {cfg.DATA.SOURCE}", cfg.DATA.ROOT
    for name in ("TRAIN", "TEST"):
        if is_url(cfg.DATA[name]) and source.train != "file":
            raise ConfigError(
                f"DATA.{name} is {masked_url(cfg.DATA[name])!r}; {named} reads a folder below DATA.ROOT: "
                "put the URL there"
            )
        if is_url(cfg.DATA[name]) and source.is_local:
            raise ConfigError(f"DATA.{name} is {masked_url(cfg.DATA[name])!r}; {named} reads local files only")
    if not is_url(root):
        return
    if source.is_local:
        raise ConfigError(f"DATA.ROOT is {masked_url(root)!r}; {named} reads local folders only")
    if source.is_walked and root.lower().startswith(("http://", "https://")):
        raise ConfigError(
            f"DATA.ROOT is {masked_url(root)!r}; {named} needs to list folders, which HTTP cannot do: "
            "give a list of paths (DATA.SOURCE list)"
        )
