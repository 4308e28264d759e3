"""Reader of the files in a run's folder."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sce_video.errors import UserError, reason_of
from sce_video.report.examination_record import is_examination
from sce_video.runtime.logging import logged_metrics

RESULTS_FILE, REPORT_FILE = "results.json", "report.html"
_MAX_VALUE = 1e300
_REQUIRED_RESULTS = ("metrics", "num_evaluated", "num_expected", "protocol")
_PREDICTION_COLUMNS = ("path", "label", "predicted")
_NEIGHBOR_COLUMNS = ("path", "label", "place", "neighbor_path", "neighbor_label", "similarity")

Row = TypeVar("Row")


class Prediction(NamedTuple):
    path: str
    label: int
    predicted: int


class Neighbor(NamedTuple):
    path: str
    label: int
    similarity: float


class Query(NamedTuple):
    """A test video, or one of its clips, with its nearest neighbours, nearest first."""

    path: str
    label: int
    neighbors: tuple[Neighbor, ...]


@dataclass(frozen=True)
class RunFiles:
    """Content of a run's files; `results` is empty before the end of an evaluation, a list if its file is missing."""

    folder: Path
    results: dict[str, Any]
    metrics_log: list[dict[str, float]]
    predictions: list[Prediction]
    queries: list[Query]

    @property
    def answers(self) -> list[Prediction]:
        """Prediction for each test video; without predictions, the class of its nearest neighbour."""
        if self.predictions:
            return self.predictions
        return [Prediction(query.path, query.label, query.neighbors[0].label) for query in self.queries]


def read_run(folder: Path | str) -> RunFiles:
    """Read a run's files; those that are missing are empty.

    Raises:
        UserError: a file is damaged, or there is neither a result nor a logged step.
    """
    folder = Path(folder)
    run = RunFiles(
        folder=folder,
        results=read_results(folder / RESULTS_FILE),
        metrics_log=logged_metrics(folder / "metrics.jsonl"),
        predictions=list(_read_rows(folder / "predictions.csv", _PREDICTION_COLUMNS, _prediction)),
        queries=_grouped(_read_rows(folder / "neighbors.csv", _NEIGHBOR_COLUMNS, _neighbor)),
    )
    if not (run.results or run.metrics_log):
        raise UserError(f"{folder} holds neither {RESULTS_FILE} nor metrics.jsonl; has the run logged anything yet?")
    return run


def read_results(file: Path | str) -> dict[str, Any]:
    """Read `results.json`; {} if there is no file.

    Raises:
        UserError: it is damaged, or does not hold results of an evaluation.
    """
    file = Path(file)
    if not file.is_file():
        return {}
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
    except Exception as error:  # a damaged file may raise anything
        raise UserError(f"{file} cannot be read ({reason_of(error)}); rerun the evaluation") from error
    if not isinstance(results, dict) or any(key not in results for key in _REQUIRED_RESULTS):
        raise UserError(f"{file} does not hold the results of an evaluation ({', '.join(_REQUIRED_RESULTS)})")
    wrong = [key for key, is_valid in _CHECKS.items() if key in results and not is_valid(results[key])]
    if wrong:
        value = repr(results[wrong[0]])
        raise UserError(f"{file} does not hold the results of an evaluation ({wrong[0]} is {value:.60})")
    return results


def _are_numbers(value: Any) -> bool:
    """Whether it is a dict of finite numbers."""
    return isinstance(value, dict) and all(
        type(each) in (int, float) and abs(each) < _MAX_VALUE for each in value.values()
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict | list) and all(isinstance(text, str) for text in _values(value))


def _are_names(value: Any) -> bool:
    """Whether it is class names by label, or None for a data set without names."""
    return value is None or (
        isinstance(value, dict) and _are_texts(value) and all(label.isdecimal() and label.isascii() for label in value)
    )


def _values(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


# Of the lists of an evaluation; an extraction records others.
_FOR_FLOORS = {"digest", "floors_file"}
# Checks of the values that are present.
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "metrics": _are_numbers,
    "metrics_std": _are_numbers,
    "chance": _are_numbers,
    "standard_errors": _are_numbers,
    "class_names": _are_names,
    "num_evaluated": lambda value: type(value) is int,
    "num_expected": lambda value: type(value) is int,
    "protocol": lambda value: isinstance(value, dict),
    "details": lambda value: isinstance(value, dict),
    "lists": lambda value: isinstance(value, dict) and (_are_texts(value) or not _FOR_FLOORS & value.keys()),
    "environment": lambda value: isinstance(value, dict) and _are_texts(value),
    "failures": lambda value: isinstance(value, list) and _are_texts(value),
    "weights": lambda value: isinstance(value, str),
    "random_floor": lambda value: isinstance(value, str),
    "examination": is_examination,
}


def _read_rows(file: Path, columns: Sequence[str], parse: Callable[[dict[str, str]], Row]) -> Iterator[Row]:
    """Rows of a CSV file, none if there is no file; names that are not UTF-8 keep their bytes."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        reader = csv.DictReader(opened)
        try:
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{file} has no column {missing[0]}; rerun the evaluation")
            rows = [parse(row) for row in reader]
        except UserError:
            raise
        except Exception as error:  # a damaged file may raise anything
            raise UserError(f"{file}, line {reader.line_num}: {error}; rerun the evaluation") from error
    yield from rows


def _prediction(row: dict[str, str]) -> Prediction:
    return Prediction(row["path"], int(row["label"]), int(row["predicted"]))


class _NeighborRow(NamedTuple):
    path: str
    label: int
    rank: int
    neighbor: Neighbor


def _neighbor(row: dict[str, str]) -> _NeighborRow:
    similarity = float(row["similarity"])
    if not math.isfinite(similarity):
        raise ValueError(f"similarity is {similarity}")
    neighbor = Neighbor(row["neighbor_path"], int(row["neighbor_label"]), similarity)
    return _NeighborRow(row["path"], int(row["label"]), int(row["place"]), neighbor)


def _grouped(rows: Iterator[_NeighborRow]) -> list[Query]:
    """Queries of the rows; each starts at rank 1, as the clips of a video follow one another under the same path."""
    queries: list[tuple[_NeighborRow, list[Neighbor]]] = []
    for row in rows:
        if row.rank == 1 or not queries:
            queries.append((row, []))
        queries[-1][1].append(row.neighbor)
    return [Query(first.path, first.label, tuple(neighbors)) for first, neighbors in queries]
