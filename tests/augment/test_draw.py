import math
from collections import Counter
from dataclasses import replace
from itertools import combinations, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import RandomResizedCrop

from sce_video.augment.draw import CropBox, draw_crop, draw_view

NUM_DRAWS = 2000
COINS = ("temporal_difference", "jitter", "grayscale", "blur", "solarize", "flip")
# Seeds are fixed, so the tests below always give the same answer; the bounds are for whoever changes the draws.
UNLIKELY = 1e-5


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def many_views(recipe, seed=0):
    """Field name -> values of NUM_DRAWS views."""
    generator = seeded(seed)
    views = [draw_view(recipe, generator=generator) for _ in range(NUM_DRAWS)]
    return {name: torch.stack([getattr(view, name) for view in views]) for name in views[0]._fields}


def assert_uniform(values, low, high, *, rounding=1e-6):
    assert low - rounding <= values.min()
    assert values.max() <= high + rounding
    assert stats.kstest(values.double().numpy(), stats.uniform(low, high - low).cdf).pvalue > UNLIKELY


def assert_plausible_count(count, probability, trials=NUM_DRAWS):
    assert stats.binomtest(count, trials, probability).pvalue > UNLIKELY, f"{count} of {trials} at p = {probability}"


def assert_same(first, second):
    assert first._fields == second._fields
    for name, a, b in zip(first._fields, first, second, strict=True):
        assert torch.equal(a, b), name


def test_a_view_is_a_function_of_its_generator(recipe):
    assert_same(draw_view(recipe, generator=seeded(7)), draw_view(recipe, generator=seeded(7)))
    one, other = (draw_view(recipe, generator=seeded(seed)).jitter_factors for seed in (7, 8))
    assert (one != other).all()


def test_the_global_generator_is_neither_used_nor_moved(recipe):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = draw_view(recipe, generator=seeded(7))
    draw_crop(30, 40, area=(0.2, 0.7), aspect=(0.7, 1.4), generator=seeded(7))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert_same(first, draw_view(recipe, generator=seeded(7)))


def test_shapes_and_types_of_one_video(recipe):
    view = draw_view(recipe, generator=seeded(0))
    for name in COINS:
        coin = getattr(view, name)
        assert (coin.shape, coin.dtype) == ((), torch.bool), name
    assert (view.jitter_factors.shape, view.jitter_factors.dtype) == ((4,), torch.float32)
    assert (view.jitter_order.shape, view.jitter_order.dtype) == ((4,), torch.int64)
    assert (view.blur_sigma.shape, view.blur_sigma.dtype) == ((), torch.float32)


def test_coins_have_their_own_probability(recipe):
    views = many_views(recipe)
    for name in COINS:
        assert_plausible_count(int(views[name].sum()), getattr(recipe, f"{name}_probability"))


def test_coins_do_not_know_each_other(recipe):
    views = many_views(replace(recipe, **{f"{name}_probability": 0.5 for name in COINS}))
    for one, other in combinations(COINS, 2):
        assert_plausible_count(int((views[one] == views[other]).sum()), 0.5)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_never_and_always_are_exact(recipe, probability):
    views = many_views(replace(recipe, **{f"{name}_probability": probability for name in COINS}))
    for name in COINS:
        assert int(views[name].sum()) == probability * NUM_DRAWS, name


def test_later_draws_do_not_depend_on_the_coins(recipe):
    """Switching any op on or off leaves all numbers and all other coins as they were."""
    for seed in range(20):
        plain = draw_view(recipe, generator=seeded(seed))
        for changed in COINS:
            for probability in (0.0, 1.0):
                other = replace(recipe, **{f"{changed}_probability": probability})
                generator = seeded(seed)
                expected = plain._replace(**{changed: torch.tensor(probability == 1)})
                assert_same(draw_view(other, generator=generator), expected)
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
    """sce.md 2.3: strengths 0.8 s, 0.8 s, 0.4 s, 0.2 s; 2.2: U(max(0, 1 - strength), 1 + strength), hue U(-h, h)."""
    factors = many_views(replace(recipe, color_strength=strength))["jitter_factors"]
    for values, (low, high) in zip(factors.unbind(1), ranges, strict=True):
        assert_uniform(values, low, high)


def test_strength_0_changes_nothing(recipe):
    factors = many_views(replace(recipe, color_strength=0.0))["jitter_factors"]
    assert torch.equal(factors, torch.tensor([1.0, 1.0, 1.0, 0.0]).expand(NUM_DRAWS, 4))


def test_blur_sigma_is_uniform(recipe):
    assert_uniform(many_views(recipe)["blur_sigma"], 0.1, 2.0)


def test_numbers_do_not_know_each_other(recipe):
    views = many_views(recipe)
    numbers = torch.cat([views["jitter_factors"], views["blur_sigma"][:, None]], dim=1)
    correlation = torch.corrcoef(numbers.T) - torch.eye(5)
    assert correlation.abs().max() < 5 / math.sqrt(NUM_DRAWS), correlation


def test_every_order_of_the_jitter_is_as_likely(recipe):
    counts = Counter(tuple(order) for order in many_views(recipe)["jitter_order"].tolist())
    assert set(counts) == set(permutations(range(4)))
    assert stats.chisquare(list(counts.values())).pvalue > UNLIKELY, counts


ANY_RANGE = st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)).map(sorted).map(tuple)
ANY_ASPECT = st.tuples(st.floats(0.2, 5.0), st.floats(0.2, 5.0)).map(sorted).map(tuple)


@settings(max_examples=300, deadline=None)
@given(
    height=st.integers(1, 2000),
    width=st.integers(1, 2000),
    area=ANY_RANGE,
    aspect=ANY_ASPECT,
    seed=st.integers(0, 2**31),
)
def test_a_box_is_never_empty_and_always_inside_the_frame(height, width, area, aspect, seed):
    box = draw_crop(height, width, area=area, aspect=aspect, generator=seeded(seed))
    assert all(type(value) is int for value in box)
    assert 0 <= box.top < box.top + box.height <= height
    assert 0 <= box.left < box.left + box.width <= width


# A quarter of the frame with aspect up to 2 fits in every frame with aspect up to 2: the first try succeeds.
@settings(max_examples=200, deadline=None)
@given(
    height=st.integers(20, 1000),
    frame_aspect=st.floats(0.55, 1.8),
    area=st.tuples(st.floats(0.05, 0.25), st.floats(0.05, 0.25)).map(sorted),
    aspect=st.tuples(st.floats(0.5, 2.0), st.floats(0.5, 2.0)).map(sorted),
    seed=st.integers(0, 2**31),
)
def test_area_and_aspect_are_in_their_ranges_up_to_rounding(height, frame_aspect, area, aspect, seed):
    width = round(height * frame_aspect)
    box = draw_crop(height, width, area=tuple(area), aspect=tuple(aspect), generator=seeded(seed))
    slack = 0.5 + 1e-6  # each side was rounded
    frame = height * width
    assert (box.height - slack) * (box.width - slack) <= area[1] * frame
    assert (box.height + slack) * (box.width + slack) >= area[0] * frame
    assert (box.width - slack) / (box.height + slack) <= aspect[1]
    assert (box.width + slack) / (box.height - slack) >= aspect[0]


def test_area_is_uniform_and_aspect_log_uniform():
    generator = seeded(0)
    boxes = [
        draw_crop(10_000, 10_000, area=(0.1, 0.25), aspect=(0.5, 2.0), generator=generator) for _ in range(NUM_DRAWS)
    ]
    areas = torch.tensor([box.height * box.width / 1e8 for box in boxes], dtype=torch.double)
    log_aspects = torch.tensor([math.log(box.width / box.height) for box in boxes], dtype=torch.double)
    assert_uniform(areas, 0.1, 0.25, rounding=1e-3)
    assert_uniform(log_aspects, -math.log(2), math.log(2), rounding=1e-3)
    assert abs(torch.corrcoef(torch.stack([areas, log_aspects]))[0, 1]) < 5 / math.sqrt(NUM_DRAWS)


def test_every_place_is_as_likely_up_to_the_borders():
    generator = seeded(0)
    boxes = Counter(
        draw_crop(8, 8, area=(0.25, 0.25), aspect=(1.0, 1.0), generator=generator) for _ in range(NUM_DRAWS)
    )
    assert set(boxes) == {CropBox(top, left, 4, 4) for top in range(5) for left in range(5)}
    assert stats.chisquare(list(boxes.values())).pvalue > UNLIKELY, boxes


@pytest.mark.parametrize(
    ("height", "width", "area", "aspect", "expected"),
    [
        # No area from 20 % on fits in so narrow a frame: full width, height 10 / 0.75 = 13.3 in the middle.
        (1000, 10, (0.2, 0.766), (0.75, 1.3333), CropBox(493, 0, 13, 10)),
        (10, 1000, (0.2, 0.766), (0.75, 1.3333), CropBox(0, 493, 10, 13)),
        # The whole square with an aspect of at most 0.6: full height, width 60 in the middle.
        (100, 100, (1.0, 1.0), (0.5, 0.6), CropBox(0, 20, 100, 60)),
        (100, 200, (1.0, 1.0), (2.0, 2.0), CropBox(0, 0, 100, 200)),
        (1, 1, (0.2, 0.766), (0.75, 1.3333), CropBox(0, 0, 1, 1)),
        (1, 5, (1.0, 1.0), (0.1, 0.1), CropBox(0, 2, 1, 1)),  # a tenth of a pixel wide becomes one
    ],
)
def test_frames_in_which_nothing_fits_give_their_central_box(height, width, area, aspect, expected):
    for seed in range(5):
        assert draw_crop(height, width, area=area, aspect=aspect, generator=seeded(seed)) == expected


@settings(max_examples=100, deadline=None)
@given(long=st.integers(400, 3000), short=st.integers(1, 20), stands=st.booleans(), seed=st.integers(0, 2**31))
def test_the_central_box_is_torchvisions(long, short, stands, seed):
    height, width = (long, short) if stands else (short, long)
    area, aspect = (0.2, 0.766), (0.75, 1.3333)
    ours = draw_crop(height, width, area=area, aspect=aspect, generator=seeded(seed))
    theirs = RandomResizedCrop.get_params(torch.empty(3, 1, 1).expand(3, height, width), list(area), list(aspect))
    assert tuple(ours) == theirs


def test_a_box_is_a_function_of_its_generator():
    boxes = [
        draw_crop(240, 320, area=(0.2, 0.766), aspect=(0.75, 1.3333), generator=seeded(seed)) for seed in (3, 3, 4)
    ]
    assert boxes[0] == boxes[1] != boxes[2]
