import pytest
import torch
import torch.nn.functional as F

from sce_video.evaluate import retrieval
from tests.evaluate.sets import CPU, feature_set

pytestmark = pytest.mark.rounding


def retrieval_metrics(query, query_labels, bank, bank_labels, *, ranks, center_features):
    sets = feature_set(query, query_labels), feature_set(bank, bank_labels)
    settings = {"retrieval_ranks": ranks, "retrieval_center_features": center_features}
    return retrieval.retrieval_metrics(*sets, device=CPU, **settings).metrics


def clusters(count, seed, num_classes=5, noise=1.5, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(num_classes, 6, dtype=torch.double, generator=torch.Generator().manual_seed(99))
    labels = torch.randint(0, num_classes, (count,), generator=generator)
    labels[:num_classes] = torch.arange(num_classes)
    noises = torch.randn(count, 6, dtype=torch.double, generator=generator)
    return centers[labels] + noise * noises + offset, labels


def slow_recall(query, query_labels, bank, bank_labels, k):
    hits = 0
    for vector, label in zip(query, query_labels.tolist(), strict=True):
        similar = [F.cosine_similarity(vector, other, dim=0).item() for other in bank]
        best = sorted(range(len(bank)), key=lambda j: -similar[j])[:k]
        hits += any(bank_labels[j].item() == label for j in best)
    return hits / len(query)


def mean_of(vectors):
    total = torch.zeros(vectors.shape[1], dtype=vectors.dtype)
    for vector in vectors:
        total += vector
    return total / len(vectors)


@pytest.mark.parametrize("center_features", [False, True])
def test_recall_is_a_loop_over_queries_and_bank(center_features):
    # An offset that the two sets do not share: each must lose its own mean.
    query, query_labels = clusters(30, 0, offset=2.0)
    bank, bank_labels = clusters(40, 1, offset=-3.0)
    metrics = retrieval_metrics(
        query, query_labels, bank, bank_labels, ranks=(1, 5, 10), center_features=center_features
    )
    if center_features:
        query, bank = query - mean_of(query), bank - mean_of(bank)
    expected = {f"retrieval_r{k}": slow_recall(query, query_labels, bank, bank_labels, k) for k in (1, 5, 10)}
    assert metrics == pytest.approx(expected)
    assert metrics["retrieval_r1"] < metrics["retrieval_r10"]


def test_centring_by_hand():
    # Around their mean (10, 10) the queries point right and left; so do the bank's around (0, -7).
    query, query_labels = torch.tensor([[11.0, 10.0], [9.0, 10.0]]), torch.tensor([0, 1])
    bank, bank_labels = torch.tensor([[-2.0, -7.0], [2.0, -7.0]]), torch.tensor([1, 0])
    centred = retrieval_metrics(query, query_labels, bank, bank_labels, ranks=[1], center_features=True)
    assert centred == {"retrieval_r1": 1.0}
    # As they are, both queries are nearest to (2, -7), since (10, 11) . (-2, -7) < (10, 11) . (2, -7).
    raw = retrieval_metrics(query, query_labels, bank, bank_labels, ranks=[1], center_features=False)
    assert raw == {"retrieval_r1": 0.5}


def test_common_offsets_are_lost_by_centring_only():
    query, query_labels = clusters(30, 0)
    bank, bank_labels = clusters(40, 1)
    for center_features in (True, False):
        plain, moved = (
            retrieval_metrics(
                query + offset,
                query_labels,
                bank - 2 * offset,
                bank_labels,
                ranks=[1, 5],
                center_features=center_features,
            )
            for offset in (0.0, 4.0)
        )
        assert (plain == moved) is center_features


def test_the_order_of_the_bank_does_not_matter():
    query, query_labels = clusters(30, 0)
    bank, bank_labels = clusters(40, 1)
    mixed = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    plain, permuted = (
        retrieval_metrics(query, query_labels, b, labels, ranks=[1, 5], center_features=True)
        for b, labels in ((bank, bank_labels), (bank[mixed], bank_labels[mixed]))
    )
    assert permuted == plain


def test_ranks_rise_and_the_whole_bank_finds_every_label_it_has():
    query, query_labels = clusters(30, 0, noise=5.0)
    bank, bank_labels = clusters(40, 1, noise=5.0)
    metrics = retrieval_metrics(query, query_labels, bank, bank_labels, ranks=[500, 40, 20, 1], center_features=True)
    assert list(metrics) == ["retrieval_r500", "retrieval_r40", "retrieval_r20", "retrieval_r1"]
    assert 0 < metrics["retrieval_r1"] < metrics["retrieval_r20"] <= metrics["retrieval_r40"] == 1.0
    assert metrics["retrieval_r500"] == 1.0  # more than there are: all of them


def test_a_label_that_the_bank_lacks_is_never_found():
    query, query_labels = clusters(20, 0)
    bank, bank_labels = clusters(30, 1)
    query_labels[10:] = 77
    metrics = retrieval_metrics(query, query_labels, bank, bank_labels, ranks=[30], center_features=True)
    assert metrics == {"retrieval_r30": 0.5}


def test_arguments_are_left_as_they_are():
    query, query_labels = clusters(10, 0)
    bank, bank_labels = clusters(10, 1)
    before = query.clone(), bank.clone()
    retrieval_metrics(query, query_labels, bank, bank_labels, ranks=[1], center_features=True)
    assert torch.equal(query, before[0])
    assert torch.equal(bank, before[1])
