"""The configs of an array of jobs: one for each combination of values, each with a folder of its own."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.config import changed_config, config_text, load_config
from sce_video.config.values import masked_repr
from sce_video.errors import ConfigError


def array_configs(file: str | Path, overrides: Sequence[str], array: Mapping[str, Sequence[str]]) -> list[CfgNode]:
    """A config for each combination, in the folder KEY_VALUE/KEY_VALUE below that of the run.

    Raises:
        ConfigError: see `load_config`; two combinations have one folder, or are the same config.
    """
    output_dir = load_config(file, overrides).RUN.OUTPUT_DIR
    configs, combinations = [], [dict(zip(array, values, strict=True)) for values in itertools.product(*array.values())]
    for chosen in combinations:
        folder = "/".join([output_dir, *itertools.starmap(_folder_name, chosen.items())])
        words = [word for pair in chosen.items() for word in pair]
        configs.append(load_config(file, [*overrides, *words, "RUN.OUTPUT_DIR", folder]))
    _require_different([cfg.RUN.OUTPUT_DIR for cfg in configs], combinations, "have one folder; rename one")
    settings = [config_text(changed_config(cfg, {"RUN.OUTPUT_DIR": output_dir})) for cfg in configs]
    _require_different(settings, combinations, "are the same run; leave one out")
    return configs


def _folder_name(key: str, value: str) -> str:
    return f"{key.rsplit('.', 1)[-1].lower()}_{value.replace('/', '_')}"


def _require_different(texts: Sequence[str], combinations: Sequence[Mapping[str, str]], otherwise: str) -> None:
    """Raises ConfigError with the values of the first two combinations that have the same text."""
    first: dict[str, Mapping[str, str]] = {}
    for text, chosen in zip(texts, combinations, strict=True):
        other = first.setdefault(text, chosen)
        if other is not chosen:
            keys = [key for key in chosen if chosen[key] != other[key]]
            both = [" ".join(f"{key} {masked_repr(each[key])}" for key in keys) for each in (other, chosen)]
            raise ConfigError(f"--array: {both[0]} and {both[1]} {otherwise}")
