import math
import sys

import pytest
import torch

from sce_video.errors import UserError
from sce_video.evaluate import neighbors
from sce_video.evaluate.neighbors import load_faiss_search, nearest

pytestmark = pytest.mark.rounding


def random_vectors(count, seed):
    return torch.randn(count, 5, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def slow_cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.mark.parametrize("k", [1, 4, 17])
def test_neighbors_are_those_of_a_full_sort(k):
    query, bank = random_vectors(6, 0), random_vectors(17, 1)
    similarities, rows = nearest(query, bank, k=k)
    assert similarities.shape == rows.shape == (6, k)
    assert rows.dtype == torch.int64
    for i, one in enumerate(query.tolist()):
        cosines = [slow_cosine(one, other) for other in bank.tolist()]
        order = sorted(range(17), key=lambda j: -cosines[j])[:k]
        assert rows[i].tolist() == order
        assert similarities[i].tolist() == pytest.approx([cosines[j] for j in order], abs=1e-12)


def test_more_neighbors_than_the_bank_has_are_all_of_it():
    _, rows = nearest(random_vectors(3, 0), random_vectors(4, 1), k=50)
    assert rows.sort(dim=1).values.tolist() == [[0, 1, 2, 3]] * 3


@pytest.mark.parametrize("chunk", [1, 4, 7, 100])
@pytest.mark.parametrize("bank_chunk", [1, 2, 4, 9, 100])
def test_chunks_change_nothing(monkeypatch, chunk, bank_chunk):
    query, bank = random_vectors(7, 0), random_vectors(9, 1)
    similarities, rows = nearest(query, bank, k=3)
    monkeypatch.setattr(neighbors, "_QUERIES_PER_CHUNK", chunk)
    monkeypatch.setattr(neighbors, "_BANK_PER_CHUNK", bank_chunk)
    chunked_similarities, chunked_rows = nearest(query, bank, k=3)
    assert torch.equal(chunked_rows, rows)
    torch.testing.assert_close(chunked_similarities, similarities)


def test_lengths_do_not_count_and_arguments_stay():
    query, bank = random_vectors(5, 0), random_vectors(9, 1)
    lengths = torch.linspace(0.01, 100, 9, dtype=torch.double)[:, None]
    before = query.clone(), bank.clone()
    similarities, rows = nearest(query, bank, k=4)
    scaled_similarities, scaled_rows = nearest(query * 3, bank * lengths, k=4)
    assert torch.equal(scaled_rows, rows)
    torch.testing.assert_close(scaled_similarities, similarities)
    assert torch.equal(query, before[0])
    assert torch.equal(bank, before[1])


def test_a_zero_vector_is_similar_to_nothing():
    similarities, _ = nearest(torch.zeros(1, 5, dtype=torch.double), random_vectors(4, 0), k=4)
    assert similarities.tolist() == [[0.0] * 4]


def test_origins_are_subtracted_first():
    query, bank = random_vectors(5, 0), random_vectors(9, 1)
    query_origin, bank_origin = random_vectors(1, 2)[0], random_vectors(1, 3)[0]
    expected = nearest(query - query_origin, bank - bank_origin, k=4)
    similarities, rows = nearest(query, bank, k=4, query_origin=query_origin, bank_origin=bank_origin)
    assert torch.equal(rows, expected[1])
    torch.testing.assert_close(similarities, expected[0])


@pytest.mark.parametrize("bank_chunk", [7, 300])
def test_faiss_finds_the_same(monkeypatch, bank_chunk):
    query, bank = random_vectors(40, 0).float(), random_vectors(300, 1).float()
    expected = nearest(query, bank, k=10)
    monkeypatch.setattr(neighbors, "_BANK_PER_CHUNK", bank_chunk)
    similarities, rows = nearest(query, bank, k=10, search=load_faiss_search())
    assert torch.equal(rows, expected[1])
    torch.testing.assert_close(similarities, expected[0])


def test_faiss_keeps_the_callers_type():
    similarities, rows = nearest(random_vectors(3, 0), random_vectors(5, 1), k=2, search=load_faiss_search())
    assert (similarities.dtype, rows.dtype) == (torch.double, torch.int64)


def test_a_missing_faiss_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"faiss cannot be loaded .*; pip install faiss-cpu, or use EVAL\.SEARCH torch"):
        load_faiss_search()
