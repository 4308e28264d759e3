import logging
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from sce_video.evaluate import knn
from sce_video.evaluate.neighbors import nearest
from tests.evaluate.sets import CPU, feature_set

pytestmark = pytest.mark.rounding


def knn_metrics(query, query_labels, bank, bank_labels, *, num_neighbors, temperature):
    return measured(query, query_labels, bank, bank_labels, [num_neighbors], [temperature]).metrics


def measured(query, query_labels, bank, bank_labels, nums_neighbors, temperatures):
    sets = feature_set(query, query_labels), feature_set(bank, bank_labels)
    return knn.knn_metrics(*sets, knn_num_neighbors=nums_neighbors, knn_temperatures=temperatures, device=CPU)


def knn_votes(query, bank, bank_labels, *, num_neighbors, **settings):
    similarities, rows = nearest(query, bank, k=num_neighbors + 3)
    return knn.knn_votes(similarities, bank_labels[rows], num_neighbors=num_neighbors, **settings)


TEMPERATURE = 0.2


def clusters(count, seed, num_classes=6, noise=1.0):
    """Vectors in double around one direction per class, and their labels; every class occurs."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(num_classes, 8, dtype=torch.double, generator=torch.Generator().manual_seed(99))
    labels = torch.randint(0, num_classes, (count,), generator=generator)
    labels[:num_classes] = torch.arange(num_classes)
    return centers[labels] + noise * torch.randn(count, 8, dtype=torch.double, generator=generator), labels


def scikit_learn_votes(query, bank, bank_labels, *, k):
    classifier = KNeighborsClassifier(
        n_neighbors=k, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / TEMPERATURE)
    )
    return torch.from_numpy(classifier.fit(bank.numpy(), bank_labels.numpy()).predict_proba(query.numpy()))


@pytest.mark.parametrize("k", [1, 5, 20, 80])
def test_votes_are_scikit_learns(k):
    query, _ = clusters(30, 0)
    bank, bank_labels = clusters(80, 1)
    votes = knn_votes(query, bank, bank_labels, num_neighbors=k, temperature=TEMPERATURE, num_classes=6)
    torch.testing.assert_close(votes, scikit_learn_votes(query, bank, bank_labels, k=k), rtol=0, atol=1e-10)


def test_more_neighbors_than_the_bank_has_are_logged(caplog):
    bank, bank_labels = clusters(12, 1)
    logger = logging.getLogger("sce_video")
    logger.addHandler(caplog.handler)  # whatever other tests made of its propagation
    try:
        knn_metrics(bank, bank_labels, bank, bank_labels, num_neighbors=12, temperature=TEMPERATURE)
        assert caplog.text == ""
        knn_metrics(bank, bank_labels, bank, bank_labels, num_neighbors=13, temperature=TEMPERATURE)
    finally:
        logger.removeHandler(caplog.handler)
    assert "kNN with 13 neighbors: all 12 training videos vote" in caplog.text


def test_more_neighbors_than_the_bank_has_are_all_of_it():
    query, _ = clusters(10, 0)
    bank, bank_labels = clusters(12, 1)
    votes = knn_votes(query, bank, bank_labels, num_neighbors=500, temperature=TEMPERATURE, num_classes=6)
    torch.testing.assert_close(votes, scikit_learn_votes(query, bank, bank_labels, k=12), rtol=0, atol=1e-10)


def test_votes_by_hand():
    # Similarities of the query (1, 0): 1, 0.6, 0, -1. The nearest three vote exp(s / 0.5).
    bank = torch.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, 1.0], [-1.0, 0.0]])
    votes = knn_votes(
        torch.tensor([[5.0, 0.0]]),
        bank,
        torch.tensor([1, 0, 0, 2]),
        num_neighbors=3,
        temperature=0.5,
        num_classes=4,
    )
    one, zero = math.exp(2), math.exp(1.2) + 1
    expected = [zero / (one + zero), one / (one + zero), 0.0, 0.0]
    assert votes[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_tiny_temperature_neither_overflows_nor_outvotes_the_nearest():
    query, _ = clusters(30, 0)
    bank, bank_labels = clusters(80, 1)
    sharp = knn_votes(query, bank, bank_labels, num_neighbors=20, temperature=1e-6, num_classes=6)
    nearest = knn_votes(query, bank, bank_labels, num_neighbors=1, temperature=1.0, num_classes=6)
    torch.testing.assert_close(sharp, nearest, rtol=0, atol=1e-6)


def test_a_huge_temperature_counts_heads():
    query, _ = clusters(6, 0)
    bank, bank_labels = clusters(40, 1)
    votes = knn_votes(query, bank, bank_labels, num_neighbors=40, temperature=1e9, num_classes=6)
    heads = torch.bincount(bank_labels, minlength=6).double() / 40
    torch.testing.assert_close(votes, heads.expand(6, 6), rtol=0, atol=1e-6)


def test_the_order_of_the_bank_does_not_matter():
    query, _ = clusters(30, 0)
    bank, bank_labels = clusters(80, 1)
    mixed = torch.randperm(80, generator=torch.Generator().manual_seed(2))
    votes, mixed_votes = (
        knn_votes(query, b, labels, num_neighbors=7, temperature=TEMPERATURE, num_classes=6)
        for b, labels in ((bank, bank_labels), (bank[mixed], bank_labels[mixed]))
    )
    torch.testing.assert_close(mixed_votes, votes, rtol=0, atol=1e-12)


def test_metrics_are_those_of_scikit_learns_votes():
    query, labels = clusters(60, 0, noise=1.6)
    bank, bank_labels = clusters(90, 1, noise=1.6)
    metrics = knn_metrics(query, labels, bank, bank_labels, num_neighbors=60, temperature=TEMPERATURE)
    votes = scikit_learn_votes(query, bank, bank_labels, k=60).numpy()
    assert ((votes > 0).sum(axis=1) >= 5).all()  # so that the first five are not a matter of ties
    first_five = np.argsort(-votes, axis=1)[:, :5]
    top1 = np.mean(first_five[:, 0] == labels.numpy())
    assert metrics == {
        "knn_top1": pytest.approx(top1),
        "knn_top5": pytest.approx(
            np.mean([label in row for label, row in zip(labels.numpy(), first_five, strict=True)])
        ),
        "knn_mean_class": pytest.approx(balanced_accuracy_score(labels, first_five[:, 0])),
    }
    assert 0.2 < top1 < 0.95  # neither chance nor perfect, or the comparison says little


def test_a_bank_that_is_the_query_is_its_own_nearest_neighbor():
    features, labels = clusters(50, 0)
    metrics = knn_metrics(features, labels, features, labels, num_neighbors=1, temperature=TEMPERATURE)
    assert (metrics["knn_top1"], metrics["knn_mean_class"]) == (1.0, 1.0)


def test_labels_that_the_bank_lacks_are_never_right():
    features, _ = clusters(10, 0)
    for label, bank_label in ((8, 1), (1, 8)):
        metrics = knn_metrics(
            features,
            torch.full((10,), label),
            features,
            torch.full((10,), bank_label),
            num_neighbors=3,
            temperature=1.0,
        )
        assert (metrics["knn_top1"], metrics["knn_mean_class"]) == (0.0, 0.0)


def test_a_bank_of_one_video():
    query, labels = clusters(12, 0)
    metrics = knn_metrics(query, labels, query[:1], torch.tensor([2]), num_neighbors=20, temperature=TEMPERATURE)
    assert metrics["knn_top1"] == pytest.approx((labels == 2).double().mean().item())


def test_a_sweep_holds_every_pair_and_the_first_gives_the_metrics():
    query, labels = clusters(40, 0, noise=1.6)
    bank, bank_labels = clusters(50, 1, noise=1.6)
    result = measured(query, labels, bank, bank_labels, [5, 1, 20], [0.2, 0.05])
    sweep = {(each["num_neighbors"], each["temperature"]): each for each in result.details["knn_sweep"]}
    assert set(sweep) == {(k, t) for k in (5, 1, 20) for t in (0.2, 0.05)}
    for (k, temperature), each in sweep.items():
        alone = knn_metrics(query, labels, bank, bank_labels, num_neighbors=k, temperature=temperature)
        assert {name: each[name] for name in alone} == alone
    assert result.metrics == {name: sweep[5, 0.2][name] for name in result.metrics}
