"""CSV tables with the predictions and neighbours of each test video."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor

from sce_video.evaluate.features import FeatureSet
from sce_video.runtime.files import atomic_path

PREDICTIONS_FILE, NEIGHBORS_FILE = "predictions.csv", "neighbors.csv"
_NEIGHBORS_KEPT = 10


def write_predictions(file: Path | str, test: FeatureSet, paths: Sequence[str], scores: Tensor) -> None:
    """One line per test video: path, label, predicted label, score of the predicted and of the true label.

    Args:
        paths: of every video of the test list.
        scores: (n, classes), higher is better.
    """
    file = Path(file)
    best = scores.max(dim=1)
    of_label = [
        row[label] if label < len(row) else 0.0
        for row, label in zip(scores.tolist(), test.labels.tolist(), strict=True)
    ]
    columns = (test.videos.tolist(), test.labels.tolist(), best.indices.tolist(), best.values.tolist(), of_label)
    write_csv(
        file,
        ["path", "label", "predicted", "score", "score_of_label"],
        (
            [paths[video], label, found, f"{score:.6g}", f"{own:.6g}"]
            for video, label, found, score, own in zip(*columns, strict=True)
        ),
    )


def write_neighbors(
    file: Path | str,
    test: FeatureSet,
    bank: FeatureSet,
    test_paths: Sequence[str],
    bank_paths: Sequence[str],
    neighbors: tuple[Tensor, Tensor],
) -> None:
    """One line for each of the ten nearest neighbours of a test row, nearest first.

    Columns: the row's path and label, the neighbour's rank ("place", from 1), path, label and similarity.

    Args:
        neighbors: similarities and int64 bank rows, both (n, k).
    """
    file = Path(file)
    similarities, rows = (part[:, :_NEIGHBORS_KEPT].tolist() for part in neighbors)
    videos, labels, bank_videos, bank_labels = (
        values.tolist() for values in (test.videos, test.labels, bank.videos, bank.labels)
    )
    write_csv(
        file,
        ["path", "label", "place", "neighbor_path", "neighbor_label", "similarity"],
        (
            [test_paths[video], label, rank, bank_paths[bank_videos[row]], bank_labels[row], f"{similarity:.6g}"]
            for video, label, near, best in zip(videos, labels, similarities, rows, strict=True)
            for rank, (similarity, row) in enumerate(zip(near, best, strict=True), start=1)
        ),
    )


def read_csv(file: Path | str) -> list[dict[str, str]]:
    """Rows of a table of `write_csv`, as dicts by column."""
    file = Path(file)
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        return list(csv.DictReader(opened))


def write_csv(file: Path | str, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Write a table atomically; names that are not UTF-8 keep their bytes."""
    file = Path(file)
    with (
        atomic_path(file) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as opened,
    ):
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)
