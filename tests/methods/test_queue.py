"""The ring of past keys against a deque, and what a checkpoint holds of it."""

import collections

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sce_video.methods.queue import KeyQueue


def numbered(first: int, count: int) -> Tensor:
    """Keys that can be told apart: [n, -n]."""
    numbers = torch.arange(first, first + count, dtype=torch.float32)
    return torch.stack([numbers, -numbers], dim=1)


def oldest_first(queue: KeyQueue) -> list[list[float]]:
    at = int(queue.position)
    return [*queue.keys[at:].tolist(), *queue.keys[:at].tolist()]


@given(length=st.integers(1, 7), batches=st.lists(st.integers(0, 17), max_size=6))
def test_it_is_first_in_first_out_whatever_the_batch_sizes(length: int, batches: list[int]) -> None:
    """Batches that do not divide the length, empty ones, and ones longer than the whole ring."""
    queue = KeyQueue(length, 2)
    model = collections.deque(queue.keys.tolist(), maxlen=length)
    written = 0
    for count in batches:
        keys = numbered(written, count)
        queue.enqueue(keys)
        model.extend(keys.tolist())
        written += count
        assert oldest_first(queue) == list(model)
    assert int(queue.position) == written % length


def test_slots_by_hand() -> None:
    queue = KeyQueue(5, 2)
    queue.enqueue(numbered(0, 3))
    queue.enqueue(numbered(3, 4))
    assert queue.keys[:, 0].tolist() == [5, 6, 2, 3, 4]


def test_it_starts_with_unit_vectors_in_different_directions() -> None:
    torch.manual_seed(0)
    keys = KeyQueue(64, 16).keys
    torch.testing.assert_close(torch.linalg.vector_norm(keys, dim=1), torch.ones(64))
    similarities = keys @ keys.T - torch.eye(64)
    assert similarities.abs().max() < 0.9  # sixteen dimensions: 1/4 is one standard deviation
    assert keys.mean().abs() < 0.05


def test_a_queue_of_length_zero_stays_empty() -> None:
    queue = KeyQueue(0, 3)
    queue.enqueue(torch.ones(4, 3))
    assert queue.keys.shape == (0, 3)
    assert int(queue.position) == 0


def test_keys_and_position_survive_a_checkpoint() -> None:
    queue = KeyQueue(5, 2)
    queue.enqueue(numbered(0, 7))
    assert set(queue.state_dict()) == {"keys", "position"}
    copy = KeyQueue(5, 2)
    copy.load_state_dict({name: value.clone() for name, value in queue.state_dict().items()})
    for one in (queue, copy):
        one.enqueue(numbered(7, 2))
    assert oldest_first(copy) == [[n, -n] for n in range(4, 9)]
    assert torch.equal(copy.keys, queue.keys)


def test_a_checkpoint_of_another_length_does_not_fit() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        KeyQueue(5, 2).load_state_dict(KeyQueue(6, 2).state_dict())


def test_it_keeps_no_graph_and_its_own_type() -> None:
    queue = KeyQueue(4, 2)
    keys = torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)
    queue.enqueue(keys)
    assert not queue.keys.requires_grad
    assert queue.keys.dtype == torch.float32
    assert list(queue.parameters()) == []
    with torch.no_grad():
        keys.zero_()
    assert queue.keys[:2].tolist() == [[1, 1], [1, 1]]
