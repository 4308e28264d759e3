"""Seeds as functions of names."""

import itertools
import random

import numpy as np
import pytest
import torch

from sce_video.runtime.seeds import generator_from, seed_everything, seed_from

# First 8 bytes as `printf '%s' NAME | b2sum -l 64` prints them, with NAME the parts joined by "/".
PINNED = {
    (42, 3, 7, 1): "3f543c9a56fcb805",
    (0,): "842b7d9d43cddf75",
    (42, "order", 0): "c1929535ca528363",
}


@pytest.mark.parametrize(("parts", "digest"), PINNED.items())
def test_values_never_change(parts: tuple[int | str, ...], digest: str) -> None:
    """Another implementation's BLAKE2b, bytes from the lowest up, without the lowest bit."""
    pairs = [int(digest[i : i + 2], 16) for i in range(0, 16, 2)]
    assert seed_from(*parts) == sum(value * 256**i for i, value in enumerate(pairs)) // 2


def test_neighbours_get_different_seeds_that_fit_a_generator() -> None:
    """4 seeds x 6 epochs x 50 videos x 2 views."""
    names = list(itertools.product(range(4), range(6), range(50), range(2)))
    seeds = {seed_from(*name) for name in names}
    assert len(seeds) == len(names)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_order_and_number_of_parts_matter() -> None:
    assert len({seed_from(1, 2), seed_from(2, 1), seed_from(12), seed_from(1, 2, 0), seed_from("order", 1, 2)}) == 5


def test_first_draws_of_neighbours_look_independent() -> None:
    """2000 videos: uniform first draws (mean 1/2, variance 1/12), no correlation from one video to the next."""
    draws = torch.stack([torch.rand((), generator=generator_from(42, 0, video)) for video in range(2000)])
    assert draws.mean().item() == pytest.approx(0.5, abs=0.03)
    assert draws.var().item() == pytest.approx(1 / 12, abs=0.01)
    assert torch.corrcoef(torch.stack([draws[1:], draws[:-1]]))[0, 1].abs() < 0.1


def test_generators_do_not_depend_on_what_ran_before() -> None:
    first = torch.randn(5, generator=generator_from(42, 3, 7, 1))
    torch.randn(1000)
    torch.manual_seed(5)
    random.seed(5)
    assert torch.equal(torch.randn(5, generator=generator_from(42, 3, 7, 1)), first)
    assert not torch.equal(torch.randn(5, generator=generator_from(42, 3, 7, 0)), first)


def test_a_generator_leaves_the_global_ones_alone() -> None:
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    torch.randn(100, generator=generator_from(1))
    assert torch.equal(torch.randn(3), expected)


@pytest.mark.parametrize("seed", [0, 42, 2**40])
def test_seed_everything_repeats_all_three_libraries(seed: int) -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    seed_everything(seed)
    first = draw()
    assert draw() != first
    seed_everything(seed)
    assert draw() == first
    seed_everything(seed + 1)
    assert all(new != old for new, old in zip(draw(), first, strict=True))
