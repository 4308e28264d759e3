"""How many videos a GPU trains on at once, by the estimate of `describe`."""

from collections.abc import Mapping
from typing import Any

from sce_video.build.views import build_views
from sce_video.cli.describe.description import CONTEXT_GIB, ERROR_SHARE
from sce_video.cli.describe.networks import meta_model
from sce_video.cli.describe.training_step import peak_memory_bytes
from sce_video.config import load_config

_TRIED = (8, 16)


def most_videos(settings: Mapping[str, Any], *, gpu_gib: float) -> int:
    """The number that surely fits, from the peaks of two batches: all but the weights grows with the batch."""
    of_any = {"AUG.TEMPORAL_DIFFERENCE_PROBABILITY": 0.0, "TRAIN.PRECISION": "fp16", "DATA.SOURCE": "folder"}
    cfg = load_config(None, overrides_of({**settings, **of_any, "DATA.ROOT": "."}))
    few, many = (
        peak_memory_bytes(cfg, meta_model(cfg, num_classes=1), build_views(cfg), num_videos=videos, num_gpus=1)
        for videos in _TRIED
    )
    per_video = (many - few) / (_TRIED[1] - _TRIED[0])
    usable = (gpu_gib - CONTEXT_GIB) * 2**30 / (1 + ERROR_SHARE)
    return max(0, int((usable - few) / per_video) + _TRIED[0])


def overrides_of(settings: Mapping[str, Any]) -> list[str]:
    """KEY VALUE KEY VALUE ..., as on the command line."""
    return [word for key, value in settings.items() for word in (key, as_text(value))]


def as_text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
