"""Whether a run that goes on is the one that began: which keys may have other values by then."""

from collections.abc import Mapping, Sequence
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
    "TRAIN.EXTENDS_RUN",
    "RUN.OUTPUT_DIR",
    "RUN.DEVICE",
}
_EPOCHS = "TRAIN.NUM_EPOCHS"
# What a run on labels begins with and learns from; no other key of EVAL changes training.
_FIXED_ON_LABELS = {"EVAL.CHECKPOINT", "EVAL.LABEL_SHARE"}


def keys_of_another_run(before: Mapping[str, Any], now: CfgNode) -> list[str]:
    """Keys of which `now` has other values than the run began with, and may not.

    Args:
        before: values by SECTION.NAME; a key that it lacks had its default.
    """
    before = {**{key: setting.default for key, setting in SETTINGS.items()}, **before}
    changed = [key for key in used_keys(now) if before[key] != get(now, key) and not _is_free(key, now.TASK)]
    if now.TRAIN.EXTENDS_RUN and before[_EPOCHS] < now.TRAIN.NUM_EPOCHS:
        changed.remove(_EPOCHS)
    return changed


def named(changed: Sequence[str]) -> str:
    """Such keys in an error, and how to have more epochs all the same."""
    hint = " (for more of these there is TRAIN.EXTENDS_RUN True)" if _EPOCHS in changed else ""
    return ", ".join(changed) + hint


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
