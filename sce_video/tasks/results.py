"""Output of every evaluation: `results.json` and a table on the terminal."""

from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode
from torch import Tensor

from sce_video.engine.cluster.collectives import is_main_process
from sce_video.evaluate.chance import chance_levels, standard_errors
from sce_video.evaluate.features import (
    FeatureSet,
)
from sce_video.report.table import metrics_table
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER


def write_results(
    cfg: CfgNode,
    metrics: dict[str, float],
    protocol: dict[str, Any],
    *,
    test: FeatureSet,
    first_answers: Tensor,
    bank: FeatureSet | None = None,
    **more: Any,
) -> None:
    """Write `results.json`, print the table.

    Args:
        first_answers: the class that each test row was taken for, int64 (rows,).
        bank: what the test videos were compared with, if with videos.
        more: `class_names` by label, where the source knows them.
    """
    if not is_main_process():
        return
    counts = {"num_evaluated": test.num_evaluated, "num_expected": test.num_expected}
    text, failures = "{num_evaluated} of {num_expected} test videos evaluated", test.failures
    if bank is not None:
        counts |= {"num_bank": bank.num_evaluated, "num_bank_expected": bank.num_expected}
        text, failures = text + " against {num_bank} of {num_bank_expected} training videos", bank.failures + failures
    beside = _held_against(metrics, test, first_answers, bank)
    results = {
        "task": cfg.TASK,
        "metrics": metrics,
        **beside,
        **counts,
        "failures": failures,
        "protocol": protocol,
        **more,
    }
    path = Path(cfg.RUN.OUTPUT_DIR) / "results.json"
    write_json(path, {**results, "environment": environment()})
    LOGGER.info(
        "%s\n±: standard error of %d test videos; chance: an answer that looks at no video\n%s; wrote %s",
        metrics_table(metrics, **beside),
        test.num_evaluated,
        text.format(**counts),
        path,
    )


def _held_against(
    metrics: dict[str, float], test: FeatureSet, first_answers: Tensor, bank: FeatureSet | None
) -> dict[str, dict[str, float]]:
    """What stands beside each metric: its standard error and its chance level."""
    right, num_videos = first_answers.cpu() == test.labels, test.num_evaluated
    return {
        "standard_errors": standard_errors(metrics, num_videos=num_videos, right=right, labels=test.labels),
        "chance": chance_levels(metrics, labels=test.labels, bank_labels=None if bank is None else bank.labels),
    }
