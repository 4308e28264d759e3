"""The runs below some folders: their settings, with those of the pretraining that they evaluate, and their numbers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fvcore.common.config import CfgNode

from sce_video.config import saved_config
from sce_video.config.uses import get, used_keys
from sce_video.errors import ConfigError, UserError
from sce_video.plain_text import escaped
from sce_video.report.floors import Floor, comparable_metrics, find_floors, highest
from sce_video.report.run_folder import RESULTS_FILE, read_results
from sce_video.runtime.logging import LOGGER, METRICS_FILE, logged_metrics

PRETRAINING = "pretraining "
_CONFIG_FILE = "config.yaml"
# Folders and files of a run, different in each.
_OWN_KEYS = ("RUN.OUTPUT_DIR", "EVAL.FEATURES_DIR")

ReadConfig = Callable[[Path], CfgNode | None]


@dataclass(frozen=True)
class CollectedRun:
    """A run's folder as given, what it was made with, and its numbers by name.

    `settings`: the keys that it uses; those of the run whose weights it starts from have `pretraining ` before them.
    `numbers`: of the last logged step and of `results.json`; `chance`: the levels of some; `floors`: the
    highest floor of some (docs/evaluation.md); `log`: all logged steps.
    A loss may be NaN or infinite.
    """

    name: str
    settings: dict[str, str]
    numbers: dict[str, float]
    chance: dict[str, float] = field(default_factory=dict)
    log: Sequence[dict[str, float]] = ()
    floors: dict[str, Floor] = field(default_factory=dict)


def read_runs(folders: Sequence[Path]) -> list[CollectedRun]:
    """All runs at any depth below the folders; a `config.yaml` that is not of a run is skipped with a warning.

    Raises:
        UserError: there is no run, or another file of one is damaged.
    """
    files = sorted({file for folder in folders for file in folder.rglob(_CONFIG_FILE)})
    config_of = cache(_config_of)  # many evaluations may have one pretraining
    runs = [_read(file.parent, cfg, config_of) for file in files if (cfg := config_of(file)) is not None]
    if not runs:
        raise UserError(f"no {_CONFIG_FILE} of a run below {', '.join(map(str, folders))}; give folders of runs")
    return runs


def _config_of(file: Path) -> CfgNode | None:
    """The config of a run; None, with a warning, if it is of something else."""
    try:
        return saved_config(file)
    except ConfigError as error:
        LOGGER.warning("%s", escaped(f"{file} is skipped: it is not the config of a run ({error})"))
        return None


def _read(folder: Path, cfg: CfgNode, config_of: ReadConfig) -> CollectedRun:
    log = logged_metrics(folder / METRICS_FILE, keeps_non_finite=True)
    results = read_results(folder / RESULTS_FILE)
    *_, last = [{}, *log]
    numbers: dict[str, float] = {name: last[name] for name in ("step", "loss") if name in last}
    numbers |= results.get("metrics", {})
    found = find_floors(results, folder)
    floors = dict.fromkeys(comparable_metrics(results), highest(found)) if found else {}
    settings = dict(_settings(cfg, config_of))
    return CollectedRun(escaped(str(folder)), settings, numbers, results.get("chance", {}), log, floors)


def _settings(cfg: CfgNode, config_of: ReadConfig) -> Iterator[tuple[str, str]]:
    """What the run uses; instead of the path of another run, whose weights it starts from, that one's settings."""
    yield from _used(cfg)
    start = _config_beside(cfg.EVAL.CHECKPOINT, config_of)
    if start is not None:
        yield "EVAL.CHECKPOINT", "a run"
        yield from ((PRETRAINING + key, value) for key, value in _used(start))


def _used(cfg: CfgNode) -> Iterator[tuple[str, str]]:
    return ((key, str(get(cfg, key)) or '""') for key in used_keys(cfg) if key not in _OWN_KEYS)


def _config_beside(checkpoint: str, config_of: ReadConfig) -> CfgNode | None:
    """The config of the run that has these weights: in the folder, beside the file or one folder above it."""
    if not checkpoint:
        return None
    path = Path(checkpoint)
    files = [folder / _CONFIG_FILE for folder in (path, path.parent, path.parent.parent)]
    return next((config_of(file) for file in files if file.is_file()), None)
