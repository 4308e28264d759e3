"""The numbers that torch draws from generators, read from their raw words for a whole batch at once.

A call of torch takes longer than a number: a batch of small images has half a thousand views with some twenty numbers
each. One call gives all words of a generator; how torch's `rand`, `randint` and `randperm` on a CPU make numbers of
them is repeated here, and tested against them.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

_WORD_BITS, _WORD_MASK = 32, 2**32 - 1
_FLOAT_MASK, _FLOAT_UNIT = 2**24 - 1, 2.0**-24


class Numbers(Protocol):
    """Random numbers in turn."""

    def uniform(self, count: int) -> list[float]:
        """Numbers in [0, 1), as of `torch.rand(count)`."""
        ...

    def below(self, bound: int) -> int:
        """An integer in [0, bound), as of `torch.randint(bound, ())`."""
        ...


class DrawnNumbers:
    """`Numbers` drawn from a generator one after another."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def uniform(self, count: int) -> list[float]:
        drawn: list[float] = torch.rand(count, generator=self._generator).tolist()
        return drawn

    def below(self, bound: int) -> int:
        return int(torch.randint(bound, (), generator=self._generator).item())


class ReadNumbers:
    """`Numbers` read from the words of one generator."""

    def __init__(self, words: Sequence[int]) -> None:
        self._words = words
        self._next = 0

    def uniform(self, count: int) -> list[float]:
        start, self._next = self._next, self._next + count
        return [(word & _FLOAT_MASK) * _FLOAT_UNIT for word in self._words[start : self._next]]

    def below(self, bound: int) -> int:
        self._next += 1
        return self._words[self._next - 1] % bound


class Words:
    """The first words of many generators; each method reads the next ones of all.

    Args:
        seeds: of the B generators.
        num_words: how many can be read of each.
    """

    def __init__(self, seeds: Sequence[int], *, num_words: int) -> None:
        pairs = torch.empty(len(seeds), -(-num_words // 2), dtype=torch.int64)
        generator = torch.Generator()
        for seed, row in zip(seeds, pairs, strict=True):
            generator.manual_seed(seed)
            # All 64 bits: a pair of words, the earlier one in the upper half.
            row.random_(-(2**63), None, generator=generator)
        self._words = torch.stack([(pairs >> _WORD_BITS) & _WORD_MASK, pairs & _WORD_MASK], dim=2).flatten(1)
        self._next = 0

    def skip(self, count: int) -> None:
        self._read(count)

    def uniform(self, count: int) -> Tensor:
        """As `torch.rand(count)` of each generator, float32 (B, count)."""
        return (self._read(count) & _FLOAT_MASK).float() * _FLOAT_UNIT

    def permutation(self, size: int) -> Tensor:
        """As `torch.randperm(size)` of each generator, int64 (B, size)."""
        order = torch.arange(size).repeat(len(self._words), 1)
        for place, words in enumerate(self._read(size - 1).unbind(1)):
            other = (place + words % (size - place))[:, None]
            moved = order[:, place : place + 1].clone()
            order[:, place : place + 1] = order.gather(1, other)
            order.scatter_(1, other, moved)
        return order

    def rest(self) -> list[ReadNumbers]:
        """What is left of each generator's words."""
        return [ReadNumbers(words) for words in self._read(self._words.shape[1] - self._next).tolist()]

    def _read(self, count: int) -> Tensor:
        start, self._next = self._next, self._next + count
        if self._next > self._words.shape[1]:
            raise ValueError(f"{self._next} words are needed, but there are {self._words.shape[1]}")
        return self._words[:, start : self._next]
