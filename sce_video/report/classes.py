"""Accuracy and confusions per class, and class names."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from sce_video.report.run_folder import Prediction


class ClassAccuracy(NamedTuple):
    label: int
    num_correct: int
    num_videos: int

    @property
    def share(self) -> float:
        return self.num_correct / self.num_videos


class Confusion(NamedTuple):
    label: int
    predicted: int
    num_videos: int


def class_names(labeled_paths: Iterable[tuple[str, int]]) -> dict[int, str]:
    """Name of each label: the folder that has all of its videos and no others; otherwise "class N"."""
    folders: dict[int, set[str]] = defaultdict(set)
    for path, label in labeled_paths:
        folders[label].add(PurePosixPath(path).parent.name)
    num_labels = Counter(folder for of_label in folders.values() for folder in of_label)
    names = {}
    for label, of_label in folders.items():
        folder = next(iter(of_label))
        is_name = len(of_label) == 1 and num_labels[folder] == 1 and folder != ""
        names[label] = folder if is_name else f"class {label}"
    return names


def name_of(label: int, names: Mapping[int, str]) -> str:
    return names.get(label, f"class {label}" if label >= 0 else "no label")


def class_accuracies(answers: Sequence[Prediction]) -> list[ClassAccuracy]:
    """Accuracy of every class that occurs, worst first."""
    totals = Counter(answer.label for answer in answers)
    correct = Counter(answer.label for answer in answers if answer.predicted == answer.label)
    accuracies = [ClassAccuracy(label, correct[label], total) for label, total in totals.items()]
    return sorted(accuracies, key=lambda accuracy: (accuracy.share, accuracy.label))


def confusions(answers: Sequence[Prediction], *, max_confusions: int) -> list[Confusion]:
    """Most frequent confusions between classes, in descending order."""
    wrong = Counter((answer.label, answer.predicted) for answer in answers if answer.predicted != answer.label)
    counted = [Confusion(label, predicted, count) for (label, predicted), count in wrong.items()]
    return sorted(counted, key=lambda each: (-each.num_videos, each.label, each.predicted))[:max_confusions]
