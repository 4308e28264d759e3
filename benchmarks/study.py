"""A study: several settings of a pretraining, with several seeds, each evaluated at every checkpoint it keeps.

Its file in `studies/` says what is run. Runs take turns by seed: all settings have the first seed before one has the
second. It can be stopped at any time, with --minutes or Ctrl-C; the same command resumes it.

python benchmarks/study.py benchmarks/studies/cifar10.yaml --output runs/cifar10_study --minutes 60 --json study.json
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import yaml
from harness import Row, publish

from sce_video.evaluate.examine.neighbors import SAME_CLASS, SAME_CLASS_OTHER_GROUP, SAME_GROUP
from sce_video.models.weights import BACKBONE_FILE
from sce_video.report.run_folder import RESULTS_FILE
from sce_video.runtime.checkpoints import CheckpointFolder

REPOSITORY = Path(__file__).resolve().parents[1]
_OVER = "the time is over"
_POLL_SECONDS = 0.2
_EXAMINE = "examine_"


@dataclass(frozen=True)
class Study:
    """What a file in `studies/` says.

    Attributes:
        pretrain: config and overrides of all pretrainings.
        evaluations: config and overrides of each evaluation, by its name; {features} is a folder for a network's.
        metrics: the metric of each evaluation that stands in the table.
        at_end: names of evaluations that only the last checkpoint has.
        settings: by name; what each adds to the overrides of `pretrain` (None: there is none, the weights are random)
            and of `evaluate`, and the names of its `evaluations` if not all.
    """

    pretrain: list[str]
    evaluations: dict[str, list[str]]
    metrics: dict[str, str]
    at_end: list[str]
    settings: dict[str, dict[str, Any]]


def read_study(file: Path) -> Study:
    """Overrides in the file are words, separated by spaces as on the command line."""
    record = yaml.safe_load(file.read_text())
    evaluations = {name: words.split() for name, words in record["evaluations"].items()}
    return Study(
        record["pretrain"].split(), evaluations, record["metrics"], record.get("at_end", []), record["settings"]
    )


class Runner:
    """Starts runs, and stops them at the end of the time or when told to.

    Args:
        common: overrides of all runs.
        until: `time.monotonic()` at which runs are stopped.
    """

    def __init__(self, study: Study, folder: Path, *, common: list[str], until: float) -> None:
        self._study, self._folder, self._common, self._until = study, folder, common, until

    def stop(self) -> None:
        """As at the end of the time: runs save and stop, and no other one starts."""
        self._until = 0.0

    def setting(self, name: str, seed: int) -> None:
        """Pretraining and all evaluations of one setting with one seed, as far as they are not done."""
        setting, folder = self._study.settings[name], self._folder / name / str(seed)
        weights: list[tuple[str, str]] = [("", "random")]
        if setting.get("pretrain") is not None:
            pretrained = folder / "pretrain"
            if not (pretrained / BACKBONE_FILE).exists():
                self._run([*self._study.pretrain, *setting["pretrain"].split()], pretrained, seed)
            weights = list(_weights_of(pretrained))
        for path, when in weights:
            for evaluation in setting.get("evaluations", self._study.evaluations):
                if evaluation in self._study.at_end and (path, when) != weights[-1]:
                    continue
                target = folder / f"{evaluation}_{when}"
                words = [*self._study.evaluations[evaluation], *(setting.get("evaluate") or "").split()]
                words = [word.replace("{features}", f"{folder}/features_{when}") for word in words]
                if not (target / RESULTS_FILE).exists():
                    self._run([*words, "EVAL.CHECKPOINT", path], target, seed)

    def _run(self, words: list[str], folder: Path, seed: int) -> None:
        """Raises `TimeoutError` if the run was stopped or not started, `RuntimeError` if it failed."""
        if time.monotonic() > self._until:
            raise TimeoutError(_OVER)
        config, *overrides = words
        command = [sys.executable, "tools/run_net.py", "--cfg", config, *overrides, *self._common]
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "output.log").open("a") as log:
            process = subprocess.Popen(
                [*command, "RUN.SEED", str(seed), "RUN.OUTPUT_DIR", str(folder)], cwd=REPOSITORY, stdout=log, stderr=log
            )
            while process.poll() is None and time.monotonic() <= self._until:
                time.sleep(_POLL_SECONDS)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)  # saves a checkpoint
                process.wait()
                raise TimeoutError(_OVER)
        if process.returncode:
            raise RuntimeError(f"exit code {process.returncode}, see {folder / 'output.log'}")


def _weights_of(pretrained: Path) -> Iterator[tuple[str, str]]:
    """Path and step of each network that a finished pretraining has kept; the last one may be without checkpoint."""
    backbone = pretrained / BACKBONE_FILE
    with safetensors.safe_open(backbone, "np") as file:
        last = int(file.metadata()["step"])
    checkpoints = CheckpointFolder(pretrained / "checkpoints", num_kept=1)
    paths = {step: checkpoints.path(step) for step in checkpoints.steps()} | {last: backbone}
    for step, path in paths.items():
        yield str(path), f"step_{step:08d}"


def rows_of(study: Study, folder: Path) -> Iterator[Row]:
    """A row for each evaluation that is done: setting, seed, step (0: random weights), evaluation, metrics."""
    for name in study.settings:
        for file in sorted(folder.glob(f"{name}/*/*_*/{RESULTS_FILE}")):
            evaluation, _, when = file.parent.name.replace("_random", "_step_0").rpartition("_step_")
            results = json.loads(file.read_text())
            yield {
                "setting": name,
                "seed": int(file.parts[-3]),
                "step": int(when),
                "evaluation": evaluation,
                **results["metrics"],
            }


class Scale(NamedTuple):
    """How a metric is shown: times `factor`, with so many digits after the point, on an axis of this name."""

    factor: float
    digits: int
    axis: str


def scale_of(metric: str) -> Scale:
    """Percent, but for the similarities of TASK examine, which are no shares and may be below 0."""
    shares = (SAME_GROUP, SAME_CLASS, SAME_CLASS_OTHER_GROUP)
    if metric.startswith(_EXAMINE) and metric.removeprefix(_EXAMINE) not in shares:
        return Scale(1.0, 2, "similarity (0: another video, 1: the same feature)")
    return Scale(100.0, 1, "percent")


def over_seeds(rows: list[Row], metrics: Mapping[str, str]) -> Iterator[Row]:
    """Mean and standard deviation (n - 1) over seeds on the metric's scale, a row for each setting and step.

    Args:
        metrics: the metric that each evaluation stands with in the table.
    """
    for setting, step in dict.fromkeys((row["setting"], row["step"]) for row in rows):
        of_step = [row for row in rows if (row["setting"], row["step"]) == (setting, step)]
        cells: Row = {}
        for evaluation, metric in metrics.items():
            factor, digits, _ = scale_of(metric)
            values = [
                factor * float(str(row[metric])) for row in of_step if row["evaluation"] == evaluation and metric in row
            ]
            if values:
                spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
                cells[evaluation] = f"{statistics.fmean(values):.{digits}f}{spread} ({len(values)})"
        yield {"setting": setting, "step": step, **cells}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--settings", nargs="+", help="only these")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then runs save and stop")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="runs at the same time")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--overrides", nargs="+", default=[], metavar="KEY VALUE", help="of every run")
    arguments = parser.parse_args()
    study, folder = read_study(arguments.study), arguments.output.resolve()
    for name in arguments.settings or []:
        if name not in study.settings:
            parser.error(
                f"argument --settings: {name!r} is not in {arguments.study}, which has {', '.join(study.settings)}"
            )
    until = time.monotonic() + 60 * arguments.minutes
    runner = Runner(study, folder, common=arguments.overrides, until=until)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // arguments.processes)))
    jobs = [(name, seed) for seed in arguments.seeds for name in arguments.settings or study.settings]
    with ThreadPoolExecutor(arguments.processes) as pool:
        try:
            for (name, seed), done in [(job, pool.submit(runner.setting, *job)) for job in jobs]:
                try:
                    done.result()
                except (RuntimeError, TimeoutError) as error:
                    print(f"{name}, seed {seed}: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            runner.stop()
            pool.shutdown(cancel_futures=True)
            parser.exit(130, "stopped; what was finished is kept; rerun to resume\n")
    rows = list(rows_of(study, folder))
    publish(rows=rows, ratios={}, json_file=arguments.json)
    publish(rows=list(over_seeds(rows, study.metrics)), ratios={}, json_file=None)


if __name__ == "__main__":
    main()
