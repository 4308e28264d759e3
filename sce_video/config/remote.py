"""What must hold of the keys that may be URLs, and of those that may not."""

from fvcore.common.config import CfgNode

from sce_video.config.urls import holds_secret, is_url, masked_url
from sce_video.errors import ConfigError

_MAY_BE_URLS = ("DATA.ROOT", "DATA.TRAIN", "DATA.TEST")
# In these TRAIN and TEST name files; elsewhere folders below ROOT.
_SOURCES_OF_FILES = ("list", "kinetics", "kinetics200", "shards")
_MUST_BE_LOCAL = ("DATA.SPLITS_DIR", "DATA.CACHE_DIR", "EVAL.CHECKPOINT", "EVAL.FEATURES_DIR", "RUN.OUTPUT_DIR")
# These read a folder of many files per video, or files whose format another library reads.
_LOCAL_SOURCES = ("frame_folders", "cifar10", "cifar100", "stl10")
# These look for files below DATA.ROOT, which HTTP cannot list.
_WALKING_SOURCES = ("kinetics", "kinetics200", "ssv2", "class_folders", "image_folders", "folder")


def check_remote(cfg: CfgNode) -> None:
    """Raise ConfigError for a URL where only files will do, one that holds a secret, or a source that cannot use it."""
    for key in (*_MAY_BE_URLS, *_MUST_BE_LOCAL):
        section, _, name = key.partition(".")
        value = cfg[section][name]
        if is_url(value):
            _check_url(key, value)
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


def check_secrets(cfg: CfgNode) -> None:
    """Raise ConfigError for a URL that holds a secret, in whatever key: the config is saved beside the results."""
    for section, keys in cfg.items():
        for name, value in keys.items() if isinstance(keys, CfgNode) else ():
            if isinstance(value, str) and holds_secret(value):
                raise ConfigError(
                    f"{section}.{name} is {masked_url(value)!r} with a password or values behind its ?, which would be "
                    "saved beside the results; put each, all of it, into an environment variable and write ${NAME} "
                    "in its place"
                )


def _check_url(key: str, value: str) -> None:
    shown = f"{key} is {masked_url(value)!r}"
    if key in _MUST_BE_LOCAL:
        raise ConfigError(f"{shown}; it must be a local path")
    if "::" in value:
        raise ConfigError(f"{shown}; chained URLs are not read: name the files themselves")
