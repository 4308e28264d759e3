"""Whether a run that goes on is the one that began: which keys may have other values by then."""

from collections.abc import Mapping
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.config.defaults import SETTINGS
from sce_video.config.uses import get, used_keys
from sce_video.config.values import read_value
from sce_video.config.yaml_file import flattened, parse_yaml

# A run may go on with other values of these; any other change would make its saved config a lie.
FREE_TO_CHANGE = {
    "DATA.ROOT",
    "DATA.TEST",
    "DATA.DECODER",  # the checkpoint itself says which one the run has, and refuses another
    "DATA.NUM_WORKERS",
    "DATA.PREFETCH_BATCHES",
    "DATA.VIDEO_TIMEOUT_SECONDS",
    "DATA.CACHE_DIR",
    "DATA.CACHE_GB",
    "DATA.MAX_FAILED_SHARE",
    "TRAIN.LOG_EVERY_STEPS",
    "TRAIN.CHECKPOINT_EVERY_STEPS",
    "TRAIN.CHECKPOINT_EVERY_EPOCHS",
    "TRAIN.NUM_CHECKPOINTS_KEPT",
    "TRAIN.STOP_AT_STEP",
    "TRAIN.STOPS_IF_NOT_SAVED",
    "RUN.OUTPUT_DIR",
    "RUN.DEVICE",
}
# What a run on labels begins with and learns from; no other key of EVAL changes training.
_FIXED_ON_LABELS = {"EVAL.CHECKPOINT", "EVAL.LABEL_SHARE"}


def keys_of_another_run(before: Mapping[str, Any], now: CfgNode) -> list[str]:
    """Keys of which `now` has other values than the run began with, and may not.

    Args:
        before: values by SECTION.NAME; a key that it lacks had its default.
    """
    before = {**{key: setting.default for key, setting in SETTINGS.items()}, **before}
    return [key for key in used_keys(now) if before[key] != get(now, key) and not _is_free(key, now.TASK)]


def _is_free(key: str, task: str) -> bool:
    if key.startswith("EVAL."):
        return task == "pretrain" or key not in _FIXED_ON_LABELS
    return key in FREE_TO_CHANGE


def recorded_config(text: str) -> dict[str, Any]:
    """The values in a config as `config_text` wrote it, perhaps by another version, by SECTION.NAME.

    Raises:
        ConfigError: it is none.
    """
    content = flattened(parse_yaml(text, origin="its config"))
    return {
        key: read_value(value, SETTINGS[key], key=key, origin="its config") for key, value in content if key in SETTINGS
    }
