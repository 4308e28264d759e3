"""Against torch's own functions on the same generators."""

import pytest
import torch

from sce_video.augment.words import DrawnNumbers, ReadNumbers, Words
from tests.augment.draws import seeded

SEEDS = [0, 1, 2**31, 2**32 + 7, 2**62 + 12345, *range(100, 400)]


def test_numbers_of_many_generators_are_torchs() -> None:
    words = Words(SEEDS, num_words=2 + 6 + 3 + 5 + 1 + 8)
    words.skip(2)
    first, order, second = words.uniform(6), words.permutation(4), words.uniform(5)
    rest = words.rest()
    for index, (seed, numbers) in enumerate(zip(SEEDS, rest, strict=True)):
        generator = seeded(seed)
        torch.rand((), generator=generator, dtype=torch.float64)  # two words
        assert torch.equal(first[index], torch.rand(6, generator=generator))
        assert torch.equal(order[index], torch.randperm(4, generator=generator))
        assert torch.equal(second[index], torch.rand(5, generator=generator))
        drawn = DrawnNumbers(generator)
        for bound in (1, 3, 17, 16_384):
            assert numbers.below(bound) == drawn.below(bound)
        assert numbers.uniform(3) == drawn.uniform(3)
        assert numbers.below(1000) == drawn.below(1000)


def test_an_odd_number_of_words() -> None:
    words = Words([5], num_words=3)
    assert torch.equal(words.uniform(3)[0], torch.rand(3, generator=seeded(5)))


def test_more_words_than_there_are() -> None:
    words = Words([5, 6], num_words=4)
    words.uniform(3)
    with pytest.raises(ValueError, match="5 words are needed, but there are 4"):
        words.uniform(2)


def test_drawn_numbers_are_torchs_and_read_numbers_are_the_words() -> None:
    drawn, generator = DrawnNumbers(seeded(3)), seeded(3)
    assert drawn.uniform(2) == torch.rand(2, generator=generator).tolist()
    assert drawn.below(10) == torch.randint(10, (), generator=generator).item()
    read = ReadNumbers([2**23, 2**31 + 2**22, 25, 2**32 - 1])
    assert read.uniform(2) == [0.5, 0.25]
    assert read.below(10) == 5
    assert read.below(2**20) == 2**20 - 1
