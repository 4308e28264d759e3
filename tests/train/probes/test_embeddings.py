"""Against the losses themselves, values by hand and a fixture of another implementation."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.methods.base import Compared
from sce_video.methods.queue_method import QueueMethod
from sce_video.methods.table import METHODS
from sce_video.train.probes.embeddings import Embeddings, effective_rank, relation_scalars, similarity_scalars
from tests.methods.waves import waves
from tests.train.probes.tiny import SCALARS, random_views, take_steps, tiny_method

pytestmark = pytest.mark.rounding


def test_effective_rank_of_the_fixture() -> None:
    """Calculated elsewhere, with the paper's eps."""
    assert effective_rank(waves(64, 16, 0.3)) == pytest.approx(13.854806895, abs=1e-8)
    assert effective_rank(waves(64, 16, 0.3).T) == pytest.approx(13.854806895, abs=1e-8)  # the other Gram matrix


def test_effective_rank_counts_directions() -> None:
    assert effective_rank(torch.ones(7, 5)) == pytest.approx(1, abs=1e-4)
    assert effective_rank(torch.eye(6)) == pytest.approx(6, abs=1e-4)
    assert effective_rank(torch.eye(6)[[0, 1, 1, 0]]) == pytest.approx(2, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "in_batch_keys", "chance"),
    [
        ("sce", False, math.log(13)),
        ("sce", True, math.log(4 + 12)),
        ("moco_v2", False, math.log(13)),
        ("ressl", False, math.log(12)),
        ("moco_v3", False, 0.4 * math.log(4)),  # 2 directions, each times 2 * 0.1
        ("simclr", False, math.log(7)),
        ("byol", False, 4.0),
    ],
)
def test_the_relations_are_those_of_the_loss(name: str, in_batch_keys: bool, chance: float) -> None:
    """Of two equal views all pairs of a symmetric method have the same loss, that of the compared pair."""
    method, probe = tiny_method(name, in_batch_keys=in_batch_keys), Embeddings(every_steps=1)
    view, seen = random_views(4), []

    class Relating(Embeddings):
        def look(self, step) -> None:
            assert step.method.compared is not None
            seen.append(step.method.relations(step.method.compared, at=step.rates.method))
            probe.look(step)

    (loss,) = take_steps(method, Relating(every_steps=1), [[view, view]])
    (relations,) = seen
    if relations is not None:
        torch.testing.assert_close(relations.loss(), loss, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(relations.target.sum(dim=1), torch.ones(4))
    assert probe.read()["loss_chance"] == pytest.approx(chance, abs=1e-5)


def test_every_method_says_what_it_compares() -> None:
    for name in METHODS:
        probe = Embeddings(every_steps=1)
        take_steps(tiny_method(name), probe, [[random_views(4), random_views(4, seed=2)]])
        read = probe.read()
        assert read["embedding_dim"] == 8
        assert -1 <= read["positive_similarity"] <= 1
        assert probe.read() == {}  # nothing new


def compared_of(queries: Tensor, keys: Tensor) -> Compared:
    return Compared(F.normalize(queries), F.normalize(keys), torch.arange(len(queries)))


def test_similarities_by_hand() -> None:
    """Queries (1, 0), (0, 1); keys (0.6, 0.8), (0, 1): own 0.6 and 1, others 0 and 0.8."""
    scalars = similarity_scalars(compared_of(torch.eye(2), torch.tensor([[0.6, 0.8], [0.0, 1.0]])))
    assert scalars["positive_similarity"] == pytest.approx(0.8)
    assert scalars["negative_similarity"] == pytest.approx(0.4)


@pytest.mark.parametrize("in_batch_keys", [False, True])
def test_relation_scalars_of_sce_in_a_slow_loop(in_batch_keys: bool) -> None:
    method = tiny_method("sce", in_batch_keys=in_batch_keys).double()
    assert isinstance(method, QueueMethod)
    query, key, queue = waves(4, 8, 0.1), waves(4, 8, 0.2), method.queue.keys
    read = relation_scalars(method, compared_of(query, key), SCALARS)
    entropies, shares, mismatched = [], [], []
    for i in range(4):
        for own in (i, (i - 1) % 4):
            rivals = [*(key[j] for j in range(4) if in_batch_keys and j != own), *queue]
            relation = torch.stack([key[own] @ each / 0.05 for each in rivals]).softmax(0)
            target = torch.cat([torch.tensor([0.5]), 0.5 * relation])
            query_shares = torch.stack([query[i] @ each / 0.1 for each in (key[own], *rivals)]).softmax(0)
            if own == i:
                entropies.append(-(target * target.log()).sum())
                shares.append(query_shares[0])
            else:
                mismatched.append(-(target * query_shares.log()).sum())
    assert read["target_entropy"] == pytest.approx(float(torch.stack(entropies).mean()))
    assert read["query_on_positive"] == pytest.approx(float(torch.stack(shares).mean()))
    assert read["loss_mismatched"] == pytest.approx(float(torch.stack(mismatched).mean()))
    assert read["target_on_positive"] == pytest.approx(0.5)


def test_equal_similarities_have_the_loss_of_chance() -> None:
    """Whatever the target: each query is orthogonal to all keys."""
    method = tiny_method("sce")
    assert isinstance(method, QueueMethod)
    method.queue.keys.copy_(F.normalize(torch.randn(12, 8) * torch.tensor([0.0] + 7 * [1.0])))
    query = torch.eye(8)[:1].expand(3, -1)
    read = relation_scalars(method, compared_of(query, method.queue.keys[:3]), SCALARS)
    assert read["loss_mismatched"] == pytest.approx(float(read["loss_chance"]))


def test_random_keys_of_the_queue_are_not_counted() -> None:
    """Step 0: the 4 keys of the step; step 2: 4 and the 8 enqueued before; then all 12 of the queue."""
    method, probe = tiny_method("sce"), Embeddings(every_steps=1)
    seen: list[int] = []

    class Counting(Embeddings):
        def look(self, step) -> None:
            super().look(step)
            assert self._keys is not None
            seen.append(len(self._keys))

    batch = [random_views(2), random_views(2, seed=2)]
    take_steps(method, Counting(every_steps=1), [batch] * 5)
    assert seen == [2, 2 + 4, 2 + 8, 2 + 12, 2 + 12]
    take_steps(tiny_method("sce"), probe, [batch])
    first = probe.read()
    assert first["key_std"] < 1 / math.sqrt(8) + 0.2
    assert first["key_rank"] <= 2 + 1e-5


def test_only_every_so_manieth_step_is_measured() -> None:
    probe = Embeddings(every_steps=3)
    batch = [random_views(4), random_views(4, seed=2)]
    take_steps(tiny_method("sce"), probe, [batch])
    assert probe.read() != {}
    method = tiny_method("sce")
    take_steps(method, probe, [batch] * 3)  # steps 0, 1, 2
    assert probe.read() != {}
    assert method.compared is None
