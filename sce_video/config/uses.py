"""Which settings a config uses; a key without effect would make the config misleading."""

from copy import deepcopy
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.config.defaults import SETTINGS


def get(cfg: CfgNode, key: str) -> Any:
    """The value of a dotted key."""
    node: Any = cfg
    for name in key.split("."):
        node = node[name]
    return node


def put(cfg: CfgNode, key: str, value: Any) -> None:
    section, _, name = key.rpartition(".")
    node = cfg[section] if section else cfg
    node[name] = value


def why_unused(cfg: CfgNode, key: str) -> str:
    """Why this config does not use a key, like "only TASK knn uses it"; "" if it does."""
    for condition in reversed(SETTINGS[key].conditions):  # the most specific first
        unused = [why_unused(cfg, other) for other in condition.keys]
        if all(unused):
            return unused[0]
        if not condition.holds(*(_value_in_use(cfg, other) for other in condition.keys)):
            return f"only {condition.words} uses it"
    return ""


def _value_in_use(cfg: CfgNode, key: str) -> Any:
    return SETTINGS[key].default if why_unused(cfg, key) else get(cfg, key)


def used_keys(cfg: CfgNode) -> list[str]:
    return [key for key in SETTINGS if not why_unused(cfg, key)]


def reset_unused(cfg: CfgNode) -> None:
    """Reset unused keys to their defaults, so that configs with the same effect are equal."""
    for key in [key for key in SETTINGS if why_unused(cfg, key)]:
        put(cfg, key, deepcopy(SETTINGS[key].default))
