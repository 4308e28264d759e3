"""Output of every evaluation: `results.json` and a table on the terminal."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode
from torch import Tensor

from sce_video.build.evaluation import build_protocol
from sce_video.data.videos import ListedVideos
from sce_video.engine.cluster.collectives import is_main_process
from sce_video.evaluate.chance import chance_levels, standard_errors
from sce_video.evaluate.features import FeatureSet
from sce_video.report.floor_metrics import RANDOM_KNN, RANDOM_R1
from sce_video.report.floors import RANDOM, SUFFIX, comparable_metrics, find_floors, in_words, is_stale
from sce_video.report.text_table import floors_table, metrics_table
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER

_NO_FLOORS = (
    "no floors %s: the same command with TASK floors and another RUN.OUTPUT_DIR beside this one measures what a crude "
    "classifier reaches here"
)
_OTHERS = "of these videos and labels are known, only of others (of another list, or before files were replaced)"


def write_evaluation_results(
    cfg: CfgNode,
    metrics: dict[str, float],
    protocol: dict[str, Any],
    *,
    test: FeatureSet,
    predicted: Tensor,
    bank: FeatureSet | None = None,
    **more: Any,
) -> None:
    """Write `results.json` and log the table of metrics.

    Args:
        predicted: class of each test row, int64 (rows,).
        bank: training videos that the test videos were compared with, if any.
        more: further entries of `results.json`.
    """
    if not is_main_process():
        return
    counts = {"num_evaluated": test.num_evaluated, "num_expected": test.num_expected}
    text, failures = "{num_evaluated} of {num_expected} test videos evaluated", test.failures
    if bank is not None:
        counts |= {"num_bank": bank.num_evaluated, "num_bank_expected": bank.num_expected}
        text, failures = text + " against {num_bank} of {num_bank_expected} training videos", bank.failures + failures
    references = _references(metrics, test, predicted, bank)
    results: dict[str, Any] = {
        "task": cfg.TASK,
        "metrics": metrics,
        **references,
        **counts,
        "failures": failures,
        "protocol": protocol,
        "random_floor": random_floors(cfg)[RANDOM_R1 if cfg.TASK == "retrieval" else RANDOM_KNN],
        **more,
    }
    path = Path(cfg.RUN.OUTPUT_DIR) / "results.json"
    floors = find_floors(results, path.parent)
    results |= {"floors": [floor._asdict() for floor in floors]} if floors else {}
    write_json(path, {**results, "environment": environment()})
    LOGGER.info(
        "%s\n±: standard error of %d test videos; chance: without looking at a video\n%s; wrote %s",
        metrics_table(metrics, **references),
        test.num_evaluated,
        text.format(**counts),
        path,
    )
    if floors:
        LOGGER.info("%s", "\n".join([floors_table(floors), *in_words(results, floors)]))
    elif comparable_metrics(results):
        LOGGER.info(_NO_FLOORS, _OTHERS if is_stale(results, path.parent) else "are known")


def random_floors(cfg: CfgNode) -> dict[str, str]:
    """Titles of the floors of this network with random weights, its representation and these views."""
    views = build_protocol(cfg)
    clips = views.num_clips or views.clips.replace("_", "-")
    frames = "1 frame" if views.num_frames == 1 else f"{views.num_frames} frames in {views.clip_seconds:g} s"
    seen = f"{clips} x {views.num_crops} views of {frames}, {views.size_pixels} pixels"
    network = f"{RANDOM}{cfg.MODEL.BACKBONE} ({cfg.MODEL.REPRESENTATION}, {seen}"
    num_neighbors, temperature = cfg.EVAL.KNN_NUM_NEIGHBORS[0], cfg.EVAL.KNN_TEMPERATURES[0]
    return {
        RANDOM_KNN: f"{network}, kNN of {num_neighbors} at {temperature:g})",
        RANDOM_R1: f"{network}, R@1)",
    }


def lists_record(cfg: CfgNode, train: ListedVideos, test: ListedVideos) -> dict[str, str]:
    """Identity of two labelled lists and their videos, of which copies have the same, and a file for the floors."""
    digests = [each for part in (train, test) for each in (part.digest(), part.labels_digest(), part.identity_digest())]
    digests.append(cfg.DATA.FRAMES_PATTERN)
    origin = Path(test.origin)
    beside = str(origin.with_name(origin.name + SUFFIX).absolute()) if origin.exists() else ""
    return {"digest": sha256("".join(digests).encode()).hexdigest(), "floors_file": beside}


def _references(
    metrics: dict[str, float], test: FeatureSet, predicted: Tensor, bank: FeatureSet | None
) -> dict[str, dict[str, float]]:
    """Standard error and chance level of each metric."""
    right, num_videos = predicted.cpu() == test.labels, test.num_evaluated
    return {
        "standard_errors": standard_errors(metrics, num_videos=num_videos, right=right, labels=test.labels),
        "chance": chance_levels(metrics, labels=test.labels, bank_labels=None if bank is None else bank.labels),
    }
