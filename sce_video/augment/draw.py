"""Draws the random augmentation parameters of one view from a generator."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.op import Op
from sce_video.augment.recipes import ViewRecipe
from sce_video.augment.solarize import Solarize
from sce_video.augment.words import Words

# Indices of a view's uniform draws that each op uses: its coin, then its numbers. The bits of all runs depend on this
# order, that of the first version. An op that is not listed uses the next free ones, so that the others draw the same
# with and without it.
_DIFFERENCE_COIN = 3
_DRAW_INDICES: dict[type[Op], tuple[int, ...]] = {
    ColorJitter: (4, 0, 1, 2, 5),
    Grayscale: (6,),
    GaussianBlur: (7, 8),
    Solarize: (9,),
    Flip: (10,),
}
_NUM_DRAWS_BEFORE_ORDER, _NUM_DRAWS = 6, 11
_NUM_ORDERED = 4


class ViewParameters(NamedTuple):
    """Augmentation parameters of a view, shared by all frames of its clip.

    Shapes are those of one video; a batch has a leading B.
    """

    temporal_difference: Tensor  # bool ()
    coins: Tensor  # bool (ops,): whether each op of the recipe acts
    numbers: Tensor  # float (N,): those of all ops, concatenated
    order: Tensor  # int64 (4,): a permutation


def draw_view(recipe: ViewRecipe, *, generator: torch.Generator) -> ViewParameters:
    """Draw the parameters of one view; all are drawn whatever the coins, so later draws do not depend on them."""
    # One draw for all: a torch call takes more than a microsecond, loading a video only a few thousand.
    layout = _layout(recipe)
    first = torch.rand(_NUM_DRAWS_BEFORE_ORDER, generator=generator)
    order = torch.randperm(_NUM_ORDERED, generator=generator)
    draws = torch.cat([first, torch.rand(layout.num_draws - _NUM_DRAWS_BEFORE_ORDER, generator=generator)])
    return _parameters(layout, draws, order)


def draw_views(recipe: ViewRecipe, words: Words) -> ViewParameters:
    """As `draw_view` of each of B generators, from their words; the parameters have a leading B."""
    layout = _layout(recipe)
    first, order = words.uniform(_NUM_DRAWS_BEFORE_ORDER), words.permutation(_NUM_ORDERED)
    return _parameters(layout, torch.cat([first, words.uniform(layout.num_draws - first.shape[1])], dim=1), order)


def num_words_of_view(recipe: ViewRecipe) -> int:
    """How many words `draw_views` reads."""
    return _layout(recipe).num_draws + _NUM_ORDERED - 1


def _parameters(layout: "_Layout", draws: Tensor, order: Tensor) -> ViewParameters:
    coins = draws[..., layout.coins] < layout.probabilities
    numbers = layout.lows + layout.spans * draws[..., layout.numbers]
    return ViewParameters(coins[..., 0], coins[..., 1:], numbers, order)


class _Layout(NamedTuple):
    """Indices of a recipe's coins and numbers among its uniform draws, and how these are scaled."""

    num_draws: int
    coins: Tensor  # int64 (1 + ops,), that of the temporal difference first
    probabilities: Tensor
    numbers: Tensor  # int64 (N,)
    lows: Tensor
    spans: Tensor


@lru_cache(maxsize=64)
def _layout(recipe: ViewRecipe) -> _Layout:
    free, num_draws = dict(_DRAW_INDICES), _NUM_DRAWS
    taken = []
    for op in recipe.ops:
        num_wanted = 1 + len(op.ranges)
        indices = free.pop(type(op), None) or tuple(range(num_draws, num_draws + num_wanted))
        num_draws = max(num_draws, indices[-1] + 1)
        taken.append(indices)
    ranges = [each for op in recipe.ops for each in op.ranges]
    return _Layout(
        num_draws,
        coins=torch.tensor([_DIFFERENCE_COIN, *(coin for coin, *_ in taken)]),
        probabilities=torch.tensor([recipe.temporal_difference_probability, *(op.probability for op in recipe.ops)]),
        numbers=torch.tensor([number for _, *numbers in taken for number in numbers], dtype=torch.int64),
        lows=torch.tensor([low for low, _ in ranges]),
        spans=torch.tensor([high - low for low, high in ranges]),
    )
