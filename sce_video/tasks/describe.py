"""Data for a run's page that is built from its config: settings, pictures, feature map."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.config import config_text
from sce_video.config.uses import get, used_keys
from sce_video.data.sources.lists import SPLIT_MARK
from sce_video.data.sources.table import SOURCES
from sce_video.errors import UserError
from sce_video.evaluate.feature_files import read_export, read_features
from sce_video.evaluate.features import features_digest
from sce_video.evaluate.table import EVALUATIONS
from sce_video.models.weights import CHECKPOINTS_DIR
from sce_video.report.feature_map import FeatureMap, make_feature_map
from sce_video.report.reported import Learning, ReportedRun
from sce_video.report.run_folder import Query, RunFiles, read_run
from sce_video.runtime.checkpoints import CheckpointFolder
from sce_video.runtime.logging import LOGGER, METRICS_FILE, logged_metrics
from sce_video.tasks.cached_features import features_folder
from sce_video.tasks.pictures import build_pictures, choose_queries_to_show
from sce_video.train.probes.verdict import verdict
from sce_video.urls import masked


def build_reported_runs(runs: Sequence[CfgNode], *, names: Sequence[str]) -> list[ReportedRun]:
    """Read the folders of runs, and decode the videos that a page of them shows.

    Raises:
        UserError: a file of a run is damaged, or there is none yet.
    """
    read = [read_run(Path(cfg.RUN.OUTPUT_DIR)) for cfg in runs]
    queries = choose_queries_to_show(read)
    return [_reported(*each) for each in zip(runs, names, read, queries, strict=True)]


def _reported(cfg: CfgNode, name: str, files: RunFiles, queries: Sequence[Query]) -> ReportedRun:
    return ReportedRun(
        name=name,
        task=cfg.TASK,
        settings={key: str(get(cfg, key)) for key in used_keys(cfg)},
        config=config_text(cfg),
        files=files,
        environment=_environment(files),
        pictures=build_pictures(cfg, queries),
        feature_map=_feature_map(cfg, files),
        learning=_learning(cfg) if cfg.TASK == "pretrain" else None,
    )


def _learning(cfg: CfgNode) -> Learning | None:
    """The verdict on a pretraining run, finished or not."""
    lines = logged_metrics(Path(cfg.RUN.OUTPUT_DIR) / METRICS_FILE, keeps_non_finite=True)
    num_steps = next((line["num_steps"] for line in reversed(lines) if "num_steps" in line), 0)
    found = verdict(lines, num_steps=int(num_steps))
    return None if found is None else Learning(found.sentence, found.is_alarm)


def describe_runs(runs: Sequence[CfgNode]) -> str:
    """Task, data and backbone in a line, or the number of runs if these differ."""
    splits = ", ".join(dict.fromkeys(str(cfg.DATA.SPLIT) for cfg in runs))
    described = list(dict.fromkeys(f"{cfg.TASK}, {_data_of(cfg, splits)}, {cfg.MODEL.BACKBONE}" for cfg in runs))
    return described[0] if len(described) == 1 else f"{len(runs)} runs"


def _data_of(cfg: CfgNode, splits: str) -> str:
    """File name of the list, or the source."""
    if SOURCES[cfg.DATA.SOURCE].has_splits:
        return f"{cfg.DATA.SOURCE} split {splits}"
    if cfg.DATA.SOURCE != "list":
        return str(cfg.DATA.SOURCE)
    listed = cfg.DATA.TRAIN if cfg.TASK == "pretrain" or not cfg.DATA.TEST else cfg.DATA.TEST
    return Path(masked(listed)).name.replace(SPLIT_MARK, splits)


def _environment(files: RunFiles) -> Mapping[str, str]:
    """Command, commit and versions, from the results or, before there are any, from the newest checkpoint."""
    if files.results:
        environment: dict[str, str] = files.results.get("environment", {})
        return environment
    state: dict[str, Any] = CheckpointFolder(files.folder / CHECKPOINTS_DIR, num_kept=1).load_newest() or {}
    found = state.get("environment")
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _feature_map(cfg: CfgNode, files: RunFiles) -> FeatureMap | None:
    try:
        if cfg.TASK == "extract":
            return _map_of_extracted(files.folder)
        # For other tasks `features/` holds class probabilities.
        return _map_of_evaluated(cfg, files) if cfg.TASK in EVALUATIONS else None
    except UserError as error:
        LOGGER.warning("no feature map: %s", error)
        return None


def _map_of_extracted(folder: Path) -> FeatureMap | None:
    """Map of the test videos or, if there are none, of the training videos."""
    for name, listed in (("test", "test"), ("train", "training")):
        found = read_export(folder / name)
        if found is not None:
            features, labels, paths = found
            return make_feature_map(features, labels=labels, paths=paths, listed=listed)
    return None


def _map_of_evaluated(cfg: CfgNode, files: RunFiles) -> FeatureMap | None:
    """Map of an evaluation's test features; they and the answers have the same rows."""
    folder = features_folder(cfg, "test")
    rows = read_features(folder)
    same = rows is not None and features_digest(rows.features) == files.results.get("features")
    if rows is None or not same or len(rows.features) != len(files.answers):
        LOGGER.warning("no feature map: the features in %s are not of this evaluation", folder)
        return None
    labels, paths = [answer.label for answer in files.answers], [answer.path for answer in files.answers]
    return make_feature_map(rows.features, labels=labels, paths=paths)
