"""Key names, defaults and their checks. The objects that follow from a config are made in `build/`."""

from sce_video.config.load import (
    changed_config,
    changed_keys,
    config_text,
    flat_config,
    load_config,
    saved_config,
)

__all__ = [
    "changed_config",
    "changed_keys",
    "config_text",
    "flat_config",
    "load_config",
    "saved_config",
]
