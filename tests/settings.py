"""Overrides that tests share between tasks, reduced to those that a task uses."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sce_video.config.defaults import SETTINGS, default_config
from sce_video.config.load import _file_settings
from sce_video.config.uses import put, why_unused
from sce_video.config.values import read_value
from sce_video.errors import ConfigError


def used_overrides(config: Path, settings: Mapping[str, object]) -> list[str]:
    """KEY VALUE ... for a command line; unknown keys and wrong values are kept for the program to refuse."""
    cfg = default_config()
    for key, value in [*((key, value) for key, value, _ in _file_settings(config, seen=())), *settings.items()]:
        with suppress(ConfigError, KeyError):
            put(cfg, key, read_value(str(value) if key in settings else value, SETTINGS[key], key=key, origin="test"))
    used = {key: value for key, value in settings.items() if key not in SETTINGS or not why_unused(cfg, key)}
    return [str(text) for pair in used.items() for text in pair]
