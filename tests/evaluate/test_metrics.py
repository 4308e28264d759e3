import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, top_k_accuracy_score
from torchmetrics.functional.classification import multiclass_accuracy
from torchmetrics.functional.retrieval import retrieval_hit_rate

from sce_video.evaluate.metrics import mean_class_accuracy, recall_at, topk_accuracy


@pytest.fixture
def scores_and_labels():
    """(60, 7) scores without ties; every class occurs, unequally often."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(60, 7, generator=generator)
    labels = torch.cat([torch.arange(7), torch.randint(0, 4, (53,), generator=generator)])
    return scores, labels


@pytest.mark.parametrize("k", range(1, 7))
def test_topk_accuracy_is_scikit_learns(scores_and_labels, k):
    scores, labels = scores_and_labels
    expected = top_k_accuracy_score(labels.numpy(), scores.numpy(), k=k, labels=range(7))
    assert topk_accuracy(scores, labels, k=k) == pytest.approx(expected, abs=1e-12)


def test_top1_is_plain_accuracy(scores_and_labels):
    scores, labels = scores_and_labels
    assert topk_accuracy(scores, labels, k=1) == pytest.approx(accuracy_score(labels, scores.argmax(dim=1)))


def test_topk_with_no_more_classes_than_k_is_always_right(scores_and_labels):
    scores, labels = scores_and_labels
    assert topk_accuracy(scores, labels, k=7) == 1.0
    assert topk_accuracy(scores, labels, k=50) == 1.0


def test_topk_by_hand():
    scores = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.3, 0.1, 0.6], [0.4, 0.5, 0.1]])
    labels = torch.tensor([1, 1, 1, 0])
    assert [topk_accuracy(scores, labels, k=k) for k in (1, 2, 3)] == [0.25, 0.75, 1.0]


def test_mean_class_accuracy_is_scikit_learns_balanced_accuracy(scores_and_labels):
    scores, labels = scores_and_labels
    predicted = scores.argmax(dim=1)
    expected = balanced_accuracy_score(labels, predicted)
    assert mean_class_accuracy(predicted, labels) == pytest.approx(expected, abs=1e-12)
    assert expected != pytest.approx(accuracy_score(labels, predicted), abs=1e-3)  # the classes weigh differently


def test_mean_class_accuracy_counts_only_classes_that_occur():
    # Class 0: 3 of 4; class 5: 0 of 1. Class 2 is predicted but never right or wrong about itself.
    predicted, labels = torch.tensor([0, 0, 0, 2, 2]), torch.tensor([0, 0, 0, 0, 5])
    assert mean_class_accuracy(predicted, labels) == pytest.approx(0.375)


def test_recall_is_a_loop_over_queries():
    generator = torch.Generator().manual_seed(0)
    ranked, labels = torch.randint(0, 9, (40, 12), generator=generator), torch.randint(0, 9, (40,), generator=generator)
    for k in (1, 3, 12):
        hits = 0
        for row, label in zip(ranked.tolist(), labels.tolist(), strict=True):
            hits += label in row[:k]
        assert recall_at(ranked, labels, k=k) == pytest.approx(hits / 40)


def test_recall_by_hand():
    ranked = torch.tensor([[2, 1, 1], [0, 0, 2], [1, 2, 0]])
    labels = torch.tensor([1, 2, 1])
    assert [recall_at(ranked, labels, k=k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0])


@pytest.mark.parametrize("k", [1, 2, 5])
def test_topk_accuracy_is_torchmetrics(scores_and_labels, k):
    scores, labels = scores_and_labels
    expected = multiclass_accuracy(scores, labels, num_classes=7, average="micro", top_k=k)
    assert topk_accuracy(scores, labels, k=k) == pytest.approx(expected.item())


def test_mean_class_accuracy_is_torchmetrics(scores_and_labels):
    scores, labels = scores_and_labels
    expected = multiclass_accuracy(scores.argmax(dim=1), labels, num_classes=7, average="macro")
    assert mean_class_accuracy(scores.argmax(dim=1), labels) == pytest.approx(expected.item())


@pytest.mark.parametrize("k", [1, 4, 9])
def test_recall_is_torchmetrics_hit_rate_averaged_over_queries(k):
    generator = torch.Generator().manual_seed(3)
    similarities, bank_labels = torch.rand(25, 30, generator=generator), torch.randint(0, 8, (30,), generator=generator)
    labels = torch.randint(0, 9, (25,), generator=generator)  # of class 8 the bank has none
    expected = [
        retrieval_hit_rate(row, bank_labels == label, top_k=k).item()
        for row, label in zip(similarities, labels, strict=True)
    ]
    ranked = bank_labels[similarities.argsort(dim=1, descending=True)]
    assert recall_at(ranked, labels, k=k) == pytest.approx(sum(expected) / 25)
    assert 0 < sum(expected) < 25
