import pytest
import torch

from sce_video.train.probes.updates import Updates
from tests.train.probes.tiny import random_views, take_steps, tiny_method

BATCH = [random_views(4), random_views(4, seed=2)]


@pytest.mark.parametrize("num_parts", [1, 2])
def test_gradient_norm_in_a_slow_loop(num_parts: int) -> None:
    """Of the whole batch, however many parts it has."""
    method, probe = tiny_method("moco_v2"), Updates(every_steps=1)
    take_steps(method, probe, [BATCH], num_parts=num_parts)
    squares = [
        float(value) ** 2 for each in method.parameters() if each.grad is not None for value in each.grad.view(-1)
    ]
    assert probe.read()["gradient_norm"] == pytest.approx(sum(squares) ** 0.5, rel=1e-4)


def test_age_of_a_queue_that_fills_in_one_and_a_half_steps() -> None:
    """8 keys per step, of two views; 12 fit: first all are random, then the oldest is 1 and at last 1.5 steps old."""
    ages = []

    class Reading(Updates):
        def look(self, seen) -> None:
            super().look(seen)
            ages.append(self.read()["queue_age_steps"])

    take_steps(tiny_method("sce"), Reading(every_steps=1), [BATCH] * 4)
    assert ages == [0, 1, 1.5, 1.5]


def test_a_method_without_queue_has_no_age() -> None:
    probe = Updates(every_steps=1)
    take_steps(tiny_method("byol"), probe, [BATCH])
    assert list(probe.read()) == ["gradient_norm"]
    assert probe.read() == {}
    take_steps(tiny_method("sce", queue_length=0, in_batch_keys=True), probe, [BATCH])
    assert list(probe.read()) == ["gradient_norm"]


def test_gradients_and_their_mode_are_left_alone() -> None:
    method = tiny_method("sce")
    take_steps(method, Updates(every_steps=1), [BATCH])
    seen = [each.grad.clone() for each in method.parameters() if each.grad is not None]
    other = tiny_method("sce")
    take_steps(other, Updates(every_steps=100), [BATCH])
    assert all(
        torch.equal(ours, each.grad)
        for ours, each in zip(seen, filter(lambda p: p.grad is not None, other.parameters()), strict=True)
    )
