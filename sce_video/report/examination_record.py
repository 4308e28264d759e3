"""Check of the examination in a `results.json`."""

from collections.abc import Mapping
from typing import Any

_MOST = 1e300
_NUM_QUANTILES = 5
_ERROR = float | None  # of a single video there is no error


def is_examination(value: Any) -> bool:
    """Whether it is the examination of a `results.json`, as this section shows it."""
    parts: dict[str, dict[str, Any]] = {
        "bars": {"title": str, "mean": float, "error": _ERROR, "cosine": float, "num_videos": int, "quantiles": list},
        "shares": {"title": str, "share": float, "error": float, "chance": float, "num_videos": int},
    }
    return (
        isinstance(value, dict)
        and isinstance(value.get("words"), list)
        and all(isinstance(sentence, str) for sentence in value["words"])
        and all(_are_records(value.get(part), kinds) for part, kinds in parts.items())
    )


def _are_records(value: Any, kinds: Mapping[str, Any]) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, dict) and all(key in each and _is_kind(each[key], kind) for key, kind in kinds.items())
        for each in value
    )


def _is_kind(value: Any, kind: Any) -> bool:
    if kind is _ERROR:
        return value is None or _is_kind(value, float)
    if kind is float:
        return type(value) in (int, float) and abs(value) < _MOST
    if kind is list:
        return isinstance(value, list) and len(value) == _NUM_QUANTILES and all(_is_kind(each, float) for each in value)
    return type(value) is kind
