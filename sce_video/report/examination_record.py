"""Check of the examination in a `results.json`."""

from collections.abc import Mapping
from typing import Any

_MOST = 1e300
_NUM_QUANTILES = 5


def is_examination(value: Any) -> bool:
    """Whether it is the examination of a `results.json`, as this section shows it."""
    parts = {
        "bars": {"title": str, "mean": float, "error": float, "cosine": float, "num_videos": int, "quantiles": list},
        "shares": {"title": str, "share": float, "error": float, "chance": float, "num_videos": int},
    }
    return (
        isinstance(value, dict)
        and isinstance(value.get("words"), list)
        and all(isinstance(sentence, str) for sentence in value["words"])
        and all(_are_records(value.get(part), kinds) for part, kinds in parts.items())
    )


def _are_records(value: Any, kinds: Mapping[str, type]) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict) and all(_is_kind(each.get(key), kind) for key, kind in kinds.items()) for each in value
    )


def _is_kind(value: Any, kind: type) -> bool:
    if kind is float:
        return type(value) in (int, float) and abs(value) < _MOST
    if kind is list:
        return isinstance(value, list) and len(value) == _NUM_QUANTILES and all(_is_kind(each, float) for each in value)
    return type(value) is kind
