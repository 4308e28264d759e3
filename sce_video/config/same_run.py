"""Which settings may change when a run is resumed."""

from collections.abc import Mapping, Sequence
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.config.defaults import SETTINGS
from sce_video.config.load import config_text
from sce_video.config.uses import get, used_keys
from sce_video.config.values import read_value
from sce_video.config.yaml_file import flattened, parse_yaml
from sce_video.train.loop import ConfigRecord

_EPOCHS = "TRAIN.NUM_EPOCHS"


def forbidden_changes(before: Mapping[str, Any], now: CfgNode) -> list[str]:
    """Keys whose values differ from those at the start of the run although they must not.

    Args:
        before: values by SECTION.NAME; a missing key means its default.
    """
    before = {**{key: setting.default for key, setting in SETTINGS.items()}, **before}
    changed = [key for key in used_keys(now) if before[key] != get(now, key) and not SETTINGS[key].is_free]
    if now.TRAIN.EXTENDS_RUN and before[_EPOCHS] < now.TRAIN.NUM_EPOCHS:
        changed.remove(_EPOCHS)
    return changed


def listed(changed: Sequence[str]) -> str:
    """The keys for an error message, with a hint if the number of epochs is among them."""
    hint = " (to train for more epochs set TRAIN.EXTENDS_RUN True)" if _EPOCHS in changed else ""
    return ", ".join(changed) + hint


def recorded_config(text: str) -> dict[str, Any]:
    """Values by SECTION.NAME in the output of `config_text`, possibly of another version.

    Raises:
        ConfigError: the text is not a config.
    """
    content = flattened(parse_yaml(text, origin="its config"))
    return {
        key: read_value(value, SETTINGS[key], key=key, origin="its config") for key, value in content if key in SETTINGS
    }


def config_record(cfg: CfgNode) -> ConfigRecord:
    """The text of a config, and how training compares it with those in checkpoints."""
    return ConfigRecord(
        config_text(cfg),
        changed_keys=lambda text: listed(forbidden_changes(recorded_config(text), cfg)),
        num_epochs_of=lambda text: int(recorded_config(text)[_EPOCHS]),
    )
