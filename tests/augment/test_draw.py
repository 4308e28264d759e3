import math
from collections import Counter
from dataclasses import replace
from itertools import combinations, permutations

import pytest
import torch
from scipy import stats
from torch.utils.data import default_collate

from sce_video.augment.apply import apply_view, plain_view
from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.crop import AreaCrop, ShortSideCrop
from sce_video.augment.draw import draw_view, draw_views, num_words_of_view
from sce_video.augment.words import Words
from tests.augment.draws import (
    COINS,
    NUM_DRAWS,
    UNLIKELY,
    assert_uniform,
    named,
    probability_of,
    seeded,
    with_probabilities,
)


def many_views(recipe, seed=0):
    """Field name -> values of NUM_DRAWS views."""
    generator = seeded(seed)
    views = [named(draw_view(recipe, generator=generator)) for _ in range(NUM_DRAWS)]
    return {name: torch.stack([getattr(view, name) for view in views]) for name in views[0]._fields}


def with_strength(recipe, strength):
    jitter = ColorJitter(0.8, tuple(strength * share for share in (0.8, 0.8, 0.4, 0.2)))
    return replace(recipe, ops=(jitter, *recipe.ops[1:]))


def assert_plausible_count(count, probability, trials=NUM_DRAWS):
    assert stats.binomtest(count, trials, probability).pvalue > UNLIKELY, f"{count} of {trials} at p = {probability}"


def assert_same(first, second):
    assert first._fields == second._fields
    for name, a, b in zip(first._fields, first, second, strict=True):
        assert torch.equal(a, b), name


def test_a_view_is_a_function_of_its_generator(recipe):
    assert_same(draw_view(recipe, generator=seeded(7)), draw_view(recipe, generator=seeded(7)))
    one, other = (draw_view(recipe, generator=seeded(seed)).numbers for seed in (7, 8))
    assert (one != other).all()


@pytest.mark.parametrize("seed", range(5))
def test_numbers_and_coins_come_from_the_same_draws_as_ever(recipe, seed):
    """All runs until now: 3 factors, the coins of difference and jitter, the hue; an order; the other coins, sigma."""
    generator = seeded(seed)
    *factors, difference, jitter, hue = torch.rand(6, generator=generator).tolist()
    order = torch.randperm(4, generator=generator).tolist()
    grayscale, blur, sigma, solarize, flip = torch.rand(5, generator=generator).tolist()
    drawn = draw_view(recipe, generator=(ours := seeded(seed)))
    assert torch.equal(ours.get_state(), generator.get_state())
    assert bool(drawn.temporal_difference) == (difference < 0.2)
    assert drawn.coins.tolist() == [jitter < 0.8, grayscale < 0.3, blur < 0.5, solarize < 0.1, flip < 0.6]
    assert drawn.order.tolist() == order
    lows, highs = (0.2, 0.2, 0.6, -0.2, 0.1), (1.8, 1.8, 1.4, 0.2, 2.0)
    numbers = [low + (high - low) * s for low, high, s in zip(lows, highs, (*factors, hue, sigma), strict=True)]
    assert drawn.numbers.tolist() == pytest.approx(numbers, abs=1e-6)


def test_a_recipe_without_ops(recipe):
    clips = torch.randint(256, (2, 1, 3, 4, 4), dtype=torch.uint8, generator=seeded(0))
    bare = replace(recipe, ops=(), temporal_difference_probability=0.0)
    parameters = default_collate([draw_view(bare, generator=seeded(seed)) for seed in range(2)])
    expected = plain_view(clips, mean=recipe.mean, std=recipe.std)
    assert torch.equal(apply_view(clips, clips[:0], parameters, bare), expected)


def test_the_global_generator_is_neither_used_nor_moved(recipe):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = draw_view(recipe, generator=seeded(7))
    AreaCrop((0.2, 0.7), (0.7, 1.4)).draw(30, 40, generator=seeded(7))
    ShortSideCrop((30, 40), 20).draw(30, 40, generator=seeded(7))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert_same(first, draw_view(recipe, generator=seeded(7)))


def test_shapes_and_types_of_one_video(recipe):
    view = named(draw_view(recipe, generator=seeded(0)))
    for name in COINS:
        coin = getattr(view, name)
        assert (coin.shape, coin.dtype) == ((), torch.bool), name
    assert (view.jitter_factors.shape, view.jitter_factors.dtype) == ((4,), torch.float32)
    assert (view.jitter_order.shape, view.jitter_order.dtype) == ((4,), torch.int64)
    assert (view.blur_sigma.shape, view.blur_sigma.dtype) == ((), torch.float32)


def test_coins_have_their_own_probability(recipe):
    views = many_views(recipe)
    for name in COINS:
        assert_plausible_count(int(views[name].sum()), probability_of(recipe, name))


def test_coins_are_independent(recipe):
    views = many_views(with_probabilities(recipe, *COINS, probability=0.5))
    for one, other in combinations(COINS, 2):
        assert_plausible_count(int((views[one] == views[other]).sum()), 0.5)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_never_and_always_are_exact(recipe, probability):
    views = many_views(with_probabilities(recipe, *COINS, probability=probability))
    for name in COINS:
        assert int(views[name].sum()) == probability * NUM_DRAWS, name


def test_later_draws_do_not_depend_on_the_coins(recipe):
    """Switching any op on or off does not change the numbers and the other coins."""
    for seed in range(20):
        plain = named(draw_view(recipe, generator=seeded(seed)))
        for changed in COINS:
            for probability in (0.0, 1.0):
                other = with_probabilities(recipe, changed, probability=probability)
                generator = seeded(seed)
                expected = plain._replace(**{changed: torch.tensor(probability == 1)})
                assert_same(named(draw_view(other, generator=generator)), expected)
                after_plain = seeded(seed)
                draw_view(recipe, generator=after_plain)
                assert torch.equal(generator.get_state(), after_plain.get_state())


@pytest.mark.parametrize(
    ("strength", "ranges"),
    [
        (1.0, [(0.2, 1.8), (0.2, 1.8), (0.6, 1.4), (-0.2, 0.2)]),
        (0.5, [(0.6, 1.4), (0.6, 1.4), (0.8, 1.2), (-0.1, 0.1)]),
        (2.0, [(0.0, 2.6), (0.0, 2.6), (0.2, 1.8), (-0.4, 0.4)]),  # 1 - 1.6 is below 0
    ],
)
def test_jitter_factors_are_uniform_in_the_ranges_of_the_paper(recipe, strength, ranges):
    """arXiv:2212.11187: strengths 0.8 s, 0.8 s, 0.4 s, 0.2 s; torchvision: U(max(0, 1 - s), 1 + s), hue U(-h, h)."""
    factors = many_views(with_strength(recipe, strength))["jitter_factors"]
    for values, (low, high) in zip(factors.unbind(1), ranges, strict=True):
        assert_uniform(values, low, high)


def test_strength_0_changes_nothing(recipe):
    factors = many_views(with_strength(recipe, 0.0))["jitter_factors"]
    assert torch.equal(factors, torch.tensor([1.0, 1.0, 1.0, 0.0]).expand(NUM_DRAWS, 4))


def test_blur_sigma_is_uniform(recipe):
    assert_uniform(many_views(recipe)["blur_sigma"], 0.1, 2.0)


def test_numbers_are_independent(recipe):
    views = many_views(recipe)
    numbers = torch.cat([views["jitter_factors"], views["blur_sigma"][:, None]], dim=1)
    correlation = torch.corrcoef(numbers.T) - torch.eye(5)
    assert correlation.abs().max() < 5 / math.sqrt(NUM_DRAWS), correlation


def test_every_order_of_the_jitter_is_equally_likely(recipe):
    counts = Counter(tuple(order) for order in many_views(recipe)["jitter_order"].tolist())
    assert set(counts) == set(permutations(range(4)))
    assert stats.chisquare(list(counts.values())).pvalue > UNLIKELY, counts


def test_views_of_a_batch_are_those_of_their_generators(recipe):
    """Also with a second op of a kind, which has draws of its own."""
    longer = replace(recipe, ops=(*recipe.ops, ColorJitter(0.5, (0.1, 0.2, 0.3, 0.4))))
    for each in (recipe, longer):
        seeds = list(range(50))
        together = draw_views(each, Words(seeds, num_words=num_words_of_view(each)))
        assert_same(together, default_collate([draw_view(each, generator=seeded(seed)) for seed in seeds]))
