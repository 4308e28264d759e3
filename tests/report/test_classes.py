import numpy as np
from sklearn.metrics import confusion_matrix, recall_score

from sce_video.report.classes import class_accuracies, class_names, confusions
from sce_video.report.run_folder import Prediction


def drawn_answers(*, num: int, num_classes: int) -> tuple[list[Prediction], np.ndarray, np.ndarray]:
    draws = np.random.default_rng(0)
    labels, predicted = draws.integers(num_classes, size=num), draws.integers(num_classes, size=num)
    predicted = np.where(draws.random(num) < 0.5, labels, predicted)
    return (
        [Prediction(f"{i}.mp4", int(a), int(b)) for i, (a, b) in enumerate(zip(labels, predicted, strict=True))],
        labels,
        predicted,
    )


def test_accuracy_of_each_class_is_scikit_learns_recall() -> None:
    answers, labels, predicted = drawn_answers(num=300, num_classes=7)
    found = class_accuracies(answers)
    expected = recall_score(labels, predicted, average=None)
    assert {each.label: each.share for each in found} == dict(enumerate(expected))
    assert {each.label: each.num_videos for each in found} == dict(
        zip(*np.unique(labels, return_counts=True), strict=True)
    )
    shares = [each.share for each in found]
    assert shares == sorted(shares)  # the worst first


def test_confusions_are_scikit_learns() -> None:
    answers, labels, predicted = drawn_answers(num=300, num_classes=7)
    matrix = confusion_matrix(labels, predicted)
    np.fill_diagonal(matrix, 0)
    found = confusions(answers, max_confusions=1000)
    assert {(each.label, each.predicted): each.num_videos for each in found} == {
        (row, column): matrix[row, column] for row, column in zip(*matrix.nonzero(), strict=True)
    }
    nums = [each.num_videos for each in found]
    assert nums == sorted(nums, reverse=True)
    assert confusions(answers, max_confusions=3) == found[:3]


def test_a_class_is_called_like_the_folder_of_its_videos() -> None:
    paths = [("test/run/1.mp4", 0), ("train/run/2.mp4", 0), ("test/brush hair/1.mp4", 3)]
    assert class_names(paths) == {0: "run", 3: "brush hair"}


def test_a_folder_that_says_nothing_is_no_name() -> None:
    assert class_names([("1.mp4", 0), ("2.mp4", 1)]) == {0: "class 0", 1: "class 1"}  # none
    assert class_names([("all/1.mp4", 0), ("all/2.mp4", 1)]) == {0: "class 0", 1: "class 1"}  # of two classes
    names = class_names([("a/1.mp4", 0), ("b/2.mp4", 0), ("c/3.mp4", 1)])  # two of one class
    assert names == {0: "class 0", 1: "c"}
