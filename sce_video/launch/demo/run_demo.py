"""Demo: pretraining and evaluation on synthetic videos, in minutes on a laptop."""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fvcore.common.config import CfgNode

from sce_video.config import load_config
from sce_video.config.uses import why_unused
from sce_video.errors import ConfigError
from sce_video.launch.demo.motion import write_motion_dataset
from sce_video.launch.demo.rooms import write_rooms_dataset
from sce_video.launch.local import run_task
from sce_video.launch.pages import write_report
from sce_video.models.weights import BACKBONE_FILE
from sce_video.report.floors import RANDOM
from sce_video.report.run_folder import REPORT_FILE, RESULTS_FILE, read_results
from sce_video.report.text_table import text_table
from sce_video.runtime.environment import environment
from sce_video.runtime.files import write_json, write_text
from sce_video.runtime.logging import LOGGER, read_metrics, set_up_logging
from sce_video.train.probes.verdict import verdict

_MARK = "made_by_demo.txt"
# Task -> metric in the table.
_METRICS = {"knn": "knn_top1", "retrieval": "retrieval_r1"}


class DemoVideos(NamedTuple):
    """A data set of the demo: its generator, the settings that it needs, and evaluations besides those of the table."""

    write: Callable[..., list[Path]]
    settings: tuple[str, ...] = ()
    random_tasks: tuple[str, ...] = ()


DEMO_VIDEOS = {
    "motions": DemoVideos(write_motion_dataset),
    "rooms": DemoVideos(
        write_rooms_dataset,
        # Left and right are classes.
        ("AUG.FLIP_PROBABILITY", "0.0", "EVAL.GROUP_PATTERN", "session_([a-z0-9]+)"),
        ("floors",),
    ),
}


def run_demo(
    config_file: Path,
    evaluation_file: Path,
    output_dir: Path,
    *,
    num_train_videos_per_class: int,
    num_test_videos_per_class: int,
    seed: int,
    overrides: Sequence[str],
    videos: DemoVideos,
) -> None:
    """Write a data set, pretrain on it without labels, and compare with random initialisation.

    Leaves `results.json`, `report.html` and every run's own files in `output_dir`, which is emptied first if an earlier
    demo wrote it.

    Args:
        evaluation_file: config of the kNN and the retrieval.
        seed: of the videos, the initial weights and the training.
        overrides: KEY VALUE ... for all configs; each takes the keys that it uses.
        videos: which data set, of `DEMO_VIDEOS`.
    Raises:
        ConfigError: an override is invalid or unused, or the folder holds files that no demo wrote.
    """
    started = time.monotonic()
    weights = output_dir / "pretrain" / BACKBONE_FILE

    def config(file: Path, folder: str, *more: str) -> CfgNode:
        folders = ["DATA.ROOT", str(output_dir / "videos"), "RUN.OUTPUT_DIR", str(output_dir / folder)]
        own = [*folders, "RUN.SEED", str(seed), *more]
        return load_config(file, own, shared=[*videos.settings, *overrides])

    def evaluations(name: str, checkpoint: str, tasks: Iterable[str]) -> dict[str, CfgNode]:
        shared = ["EVAL.CHECKPOINT", checkpoint, "EVAL.FEATURES_DIR", str(output_dir / f"{name}_features")]
        return {task: config(evaluation_file, f"{name}_{task}", "TASK", task, *shared) for task in tasks}

    random = evaluations("random", "", [*videos.random_tasks, *_METRICS])
    sce = evaluations("sce", str(weights), [*_METRICS, "examine"])
    pretrain = config(config_file, "pretrain")
    _check(overrides, [*random.values(), pretrain, *sce.values()], retrieval=random["retrieval"])
    _empty(output_dir)
    set_up_logging(output_dir)
    LOGGER.info("writing videos to %s", output_dir / "videos")
    videos.write(
        output_dir / "videos",
        num_train_videos_per_class=num_train_videos_per_class,
        num_test_videos_per_class=num_test_videos_per_class,
        seed=seed,
    )
    for cfg in (*random.values(), pretrain, *sce.values()):
        run_task(cfg)
    set_up_logging(output_dir)
    metrics = {"random": _metrics_of(random), "sce": _metrics_of(sce)}
    _show(output_dir, metrics, seed=seed, wall_seconds=time.monotonic() - started)
    shown = (random["retrieval"], sce["retrieval"], sce["examine"], pretrain)
    write_report([Path(cfg.RUN.OUTPUT_DIR) for cfg in shown], output_dir / REPORT_FILE)


def _check(overrides: Sequence[str], configs: Sequence[CfgNode], *, retrieval: CfgNode) -> None:
    """Raises ConfigError for a key that no config uses, and for a retrieval without R@1."""
    for key in overrides[::2]:
        if all(why_unused(cfg, key) for cfg in configs):
            raise ConfigError(f"{key}: no part of the demo uses it")
    if 1 not in retrieval.EVAL.RETRIEVAL_RANKS:
        raise ConfigError(f"EVAL.RETRIEVAL_RANKS is {retrieval.EVAL.RETRIEVAL_RANKS}; the demo shows R@1")


def _empty(output_dir: Path) -> None:
    """Delete the files of an earlier demo; a folder with other files is refused.

    Raises:
        ConfigError: the folder holds files and was not made by a demo.
    """
    if output_dir.exists() and any(output_dir.iterdir()) and not (output_dir / _MARK).is_file():
        raise ConfigError(f"{output_dir} holds files that no demo wrote; give --output a new folder")
    shutil.rmtree(output_dir, ignore_errors=True)
    write_text(output_dir / _MARK, "This folder is deleted by the next demo that writes to it.\n")


def _metrics_of(evaluations: Mapping[str, CfgNode]) -> dict[str, float]:
    files = {task: Path(evaluations[task].RUN.OUTPUT_DIR) / RESULTS_FILE for task in _METRICS}
    return {metric: read_results(files[task])["metrics"][metric] for task, metric in _METRICS.items()}


def _show(output_dir: Path, metrics: Mapping[str, dict[str, float]], *, seed: int, wall_seconds: float) -> None:
    pretraining = output_dir / "pretrain"
    lines = read_metrics(pretraining / "metrics.jsonl")
    speed = {name: sum(line[name] for line in lines) / len(lines) for name in ("clips_per_second", "data_wait_share")}
    results = {
        **metrics,
        "seed": seed,
        "wall_seconds": round(wall_seconds, 1),
        **speed,
        "environment": environment(),
    }
    write_json(output_dir / "results.json", results)
    rows = _floor_rows(read_results(output_dir / "sce_knn" / RESULTS_FILE))
    rows += [
        [title, *(f"{100 * metrics[name][metric]:.1f}" for metric in _METRICS.values())]
        for name, title in (("random", "random initialisation"), ("sce", "SCE"))
    ]
    learned = verdict(lines)
    if learned is not None:
        LOGGER.info("\nIs it learning? %s", learned.sentence)
    examined = read_results(output_dir / "sce_examine" / RESULTS_FILE)["examination"]
    LOGGER.info("What do the features see? %s", " ".join(examined["words"]))
    LOGGER.info("\n%s", text_table(["held-out videos, 8 motions", "kNN top-1 %", "retrieval R@1 %"], rows))
    LOGGER.info(
        "%.0f s in all, %.0f clips/s, data wait %.0f %%; wrote %s; curves are in %s",
        wall_seconds,
        speed["clips_per_second"],
        100 * speed["data_wait_share"],
        output_dir / "results.json",
        pretraining / REPORT_FILE,
    )


def _floor_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """Of the table: the floors of the kNN, if they were measured; random networks have a row of their own."""
    floors = [floor for floor in results.get("floors", []) if not floor["title"].startswith(RANDOM)]
    return [[f"floor: {floor['title']}", f"{100 * floor['top1']:.1f}", "-"] for floor in floors]
