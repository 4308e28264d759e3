from itertools import combinations, permutations
from math import sqrt
from statistics import mean, pstdev

import pytest
import torch

from sce_video.evaluate.chance import chance_levels, chance_of_recall, error_of_share, standard_errors
from sce_video.evaluate.metrics import mean_class_accuracy, recall_at


@pytest.mark.parametrize("k", range(1, 8))
def test_recall_of_a_bank_in_random_order_by_trying_all_orders(k: int) -> None:
    bank = torch.tensor([0, 0, 0, 1, 1, 2])
    labels = torch.tensor([0, 1, 1, 2, 7])  # of class 7 the bank has none
    orders = [recall_at(torch.tensor([order] * 5), labels, k=k) for order in set(permutations(bank.tolist()))]
    assert chance_of_recall(labels, bank, k=k) == pytest.approx(mean(orders), abs=1e-12)


def test_recall_by_drawing_pairs() -> None:
    bank = [0, 0, 1, 2, 2]
    hits = [0 in pair for pair in combinations(bank, 2)]
    assert chance_of_recall(torch.tensor([0]), torch.tensor(bank), k=2) == pytest.approx(mean(hits))


def test_a_large_bank() -> None:
    """UCF101's size: 101 classes, equally frequent; one draw is 1 of 101, and 50 are no more than 50 of 101."""
    bank, labels = torch.arange(101).repeat_interleave(94), torch.arange(101)
    assert chance_of_recall(labels, bank, k=1) == pytest.approx(1 / 101)
    with_replacement = 1 - (100 / 101) ** 50
    assert chance_of_recall(labels, bank, k=50) == pytest.approx(with_replacement, rel=0.005)
    assert chance_of_recall(labels, bank, k=50) > with_replacement


def test_levels_by_hand() -> None:
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    names = ["knn_top1", "knn_top2", "knn_top5", "knn_mean_class"]
    assert chance_levels(names, labels=labels, bank_labels=None) == pytest.approx(
        {"knn_top1": 0.5, "knn_top2": 0.8, "knn_top5": 1.0, "knn_mean_class": 1 / 3}
    )
    of_recall = chance_levels(["retrieval_r1"], labels=labels, bank_labels=torch.tensor([0, 1, 1, 3]))
    assert of_recall == pytest.approx({"retrieval_r1": 0.5 * 0.25 + 0.3 * 0.5})


def test_equally_frequent_classes_give_k_of_them() -> None:
    labels = torch.arange(20).repeat(3)
    levels = chance_levels(["x_top1", "x_top5"], labels=labels, bank_labels=None)
    assert levels == pytest.approx({"x_top1": 0.05, "x_top5": 0.25})


def test_the_error_is_the_deviation_over_many_test_sets() -> None:
    """400 sets of 60 videos each, of classes that are recognised unequally well."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 30 + [1] * 20 + [2] * 10)
    shares = torch.tensor([0.9, 0.5, 0.2])[labels]
    top1, of_classes, told = [], [], []
    for _ in range(400):
        right = torch.rand(60, generator=generator) < shares
        metrics = {"x_top1": right.double().mean().item()}
        metrics["x_mean_class"] = mean_class_accuracy(torch.where(right, labels, -1), labels)
        told.append(standard_errors(metrics, num_videos=60, right=right, labels=labels))
        top1.append(metrics["x_top1"])
        of_classes.append(metrics["x_mean_class"])
    assert mean(each["x_mean_class"] for each in told) == pytest.approx(pstdev(of_classes), rel=0.1)
    # p (1 - p) / n counts the differences between the classes, too: a little more than what fixed classes give.
    assert pstdev(top1) < mean(each["x_top1"] for each in told) < 1.4 * pstdev(top1)


def test_errors_by_hand() -> None:
    right, labels = torch.tensor([True, False, True, True]), torch.tensor([0, 0, 1, 1])
    metrics = {"x_top1": 0.75, "x_top5": 1.0, "x_mean_class": 0.75}
    # Of 4 of 4: 6 of 8.
    expected = {"x_top1": sqrt(0.75 * 0.25 / 4), "x_top5": sqrt(0.75 * 0.25 / 8), "x_mean_class": sqrt(0.25 / 2) / 2}
    assert standard_errors(metrics, num_videos=4, right=right, labels=labels) == pytest.approx(expected)
    for value in (0.0, 1.0):
        metrics = {"x_top1": value, "x_mean_class": value}
        found = standard_errors(metrics, num_videos=4, right=torch.full((4,), bool(value)), labels=labels)
        assert list(found.values()) == pytest.approx([sqrt(0.75 * 0.25 / 8)] * 2)


@pytest.mark.parametrize("num_videos", [10, 50, 300])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_two_errors_at_none_and_all_are_about_the_exact_bound(share: float, num_videos: int) -> None:
    """Clopper and Pearson: of n videos none is right with probability 0.025 if the accuracy is 1 - 0.025^(1/n)."""
    exact = 1 - 0.025 ** (1 / num_videos)
    assert 0.6 * exact < 2 * error_of_share(share, num_videos=num_videos) < exact
