"""Settings that may and may not change when a run is resumed."""

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


def keys_of_another_run(before: Mapping[str, Any], now: CfgNode) -> list[str]:
    """Keys whose values differ in `now` from the start of the run, but may not.

    Args:
        before: values by SECTION.NAME; a key that it lacks had its default.
    """
    before = {**{key: setting.default for key, setting in SETTINGS.items()}, **before}
    changed = [key for key in used_keys(now) if before[key] != get(now, key) and not SETTINGS[key].is_free]
    if now.TRAIN.EXTENDS_RUN and before[_EPOCHS] < now.TRAIN.NUM_EPOCHS:
        changed.remove(_EPOCHS)
    return changed


def named(changed: Sequence[str]) -> str:
    """These keys for an error message, with a hint for a changed number of epochs."""
    hint = " (for more of these there is TRAIN.EXTENDS_RUN True)" if _EPOCHS in changed else ""
    return ", ".join(changed) + hint


def recorded_config(text: str) -> dict[str, Any]:
    """The values in a config as `config_text` wrote it, perhaps by another version, by SECTION.NAME.

    Raises:
        ConfigError: it is none.
    """
    content = flattened(parse_yaml(text, origin="its config"))
    return {
        key: read_value(value, SETTINGS[key], key=key, origin="its config") for key, value in content if key in SETTINGS
    }


def config_record(cfg: CfgNode) -> ConfigRecord:
    """What a run that trains knows of its config, and asks of those in checkpoints."""
    return ConfigRecord(
        config_text(cfg),
        changed_keys=lambda text: named(keys_of_another_run(recorded_config(text), cfg)),
        num_epochs_of=lambda text: int(recorded_config(text)[_EPOCHS]),
    )
