"""Evaluation on several splits, each in its own folder, with mean and standard deviation."""

from collections.abc import Callable, Mapping, Sequence
from math import hypot
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.config import changed_config
from sce_video.engine.cluster.collectives import is_main_process, wait_for_all
from sce_video.errors import ConfigError
from sce_video.launch.pages import report_ended_splits
from sce_video.report.floors import find_floors, in_words, mean_floors
from sce_video.report.run_folder import read_results
from sce_video.report.text_table import floors_table, text_table
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json
from sce_video.runtime.logging import LOGGER, set_up_logging


def run_splits(cfg: CfgNode, run: Callable[[CfgNode], None]) -> None:
    """Run the splits of EVAL.SPLITS one after the other, and write the mean of their results.

    Raises:
        ConfigError: the folder holds a run of one split.
    """
    output_dir = Path(cfg.RUN.OUTPUT_DIR)
    if (output_dir / "config.yaml").is_file():
        raise ConfigError(f"{output_dir} holds a run of one split; give EVAL.SPLITS another RUN.OUTPUT_DIR")
    folders = {split: output_dir / f"split_{split}" for split in cfg.EVAL.SPLITS}
    for split, folder in folders.items():
        features = f"{cfg.EVAL.FEATURES_DIR}/split_{split}" if cfg.EVAL.FEATURES_DIR else ""
        folders_of_split = {"RUN.OUTPUT_DIR": str(folder), "EVAL.FEATURES_DIR": features}
        run(changed_config(cfg, {"DATA.SPLIT": split, "EVAL.SPLITS": [0], **folders_of_split}))
        wait_for_all()
    set_up_logging(output_dir)
    unfinished = [split for split, folder in folders.items() if not (folder / "results.json").is_file()]
    if unfinished:
        LOGGER.info("split %s has no results yet; rerun to resume it and to write the mean", unfinished[0])
    elif is_main_process():
        results = {split: read_results(folder / "results.json") for split, folder in folders.items()}
        _write_mean(cfg, output_dir, results)
        report_ended_splits(output_dir)


def _write_mean(cfg: CfgNode, output_dir: Path, results: dict[int, dict[str, Any]]) -> None:
    first = next(iter(results.values()))
    different = [split for split, result in results.items() if result["metrics"].keys() != first["metrics"].keys()]
    if different:
        raise ConfigError(
            f"{output_dir / f'split_{different[0]}'} holds results of other metrics than split {next(iter(results))}; "
            f"delete its results.json and rerun"
        )
    values = {name: [result["metrics"][name] for result in results.values()] for name in first["metrics"]}
    metrics = {name: mean(each) for name, each in values.items()}
    deviations = {name: stdev(each) if len(each) > 1 else 0.0 for name, each in values.items()}
    levels = [result.get("chance", {}) for result in results.values()]  # results of older versions have none
    chance = {
        name: [each[name] for each in levels] for name in first["metrics"] if all(name in each for each in levels)
    }
    floors = mean_floors([find_floors(each, output_dir / f"split_{split}") for split, each in results.items()])
    path = output_dir / "results.json"
    write_json(
        path,
        {
            "task": cfg.TASK,
            **({"floors": [floor._asdict() for floor in floors]} if floors else {}),
            "metrics": metrics,
            "metrics_std": deviations,
            "chance": {name: mean(each) for name, each in chance.items()},
            "num_evaluated": sum(result["num_evaluated"] for result in results.values()),
            "num_expected": sum(result["num_expected"] for result in results.values()),
            "splits": {str(split): result["metrics"] for split, result in results.items()},
            "protocol": {**first["protocol"], "split": list(results)},
            "weights": first.get("weights", ""),
            "environment": environment(),
        },
    )
    header = ["metric, %", *(f"split {split}" for split in results), "mean", "std"]
    rows = [
        [name, *(f"{100 * value:.1f}" for value in (*each, metrics[name], deviations[name]))]
        for name, each in values.items()
    ]
    LOGGER.info("%s\n\nwrote %s", text_table(header, rows), path)
    if floors:
        errors = {name: _error_of_mean(name, list(results.values())) for name in metrics}
        words = in_words({**first, "metrics": metrics, "standard_errors": errors}, floors)
        LOGGER.info("%s", "\n".join([floors_table(floors), *words]))


def _error_of_mean(name: str, results: Sequence[Mapping[str, Any]]) -> float:
    """Standard error of a metric's mean over splits, from the choice of their test videos."""
    return hypot(*(result.get("standard_errors", {}).get(name, 0.0) for result in results)) / len(results)
