"""Config keys, defaults and checks. `build/` makes objects from a config."""

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
