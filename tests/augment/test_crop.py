import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import RandomResizedCrop

from sce_video.augment.crop import MOST_NUMBERS, AreaCrop, CropBox, ShortSideCrop
from sce_video.augment.words import Words
from tests.augment.draws import NUM_DRAWS, UNLIKELY, assert_uniform, seeded

ANY_RANGE = st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)).map(sorted).map(tuple)
ANY_ASPECT = st.tuples(st.floats(0.2, 5.0), st.floats(0.2, 5.0)).map(sorted).map(tuple)


@settings(max_examples=300)
@given(
    height=st.integers(1, 2000),
    width=st.integers(1, 2000),
    area=ANY_RANGE,
    aspect=ANY_ASPECT,
    seed=st.integers(0, 2**31),
)
def test_a_box_is_never_empty_and_always_inside_the_frame(height, width, area, aspect, seed):
    box = AreaCrop(area, aspect).draw(height, width, generator=seeded(seed))
    assert all(type(value) is int for value in box)
    assert 0 <= box.top < box.top + box.height <= height
    assert 0 <= box.left < box.left + box.width <= width


# A quarter of the frame with aspect up to 2 fits in every frame with aspect up to 2: the first try succeeds.
@settings(max_examples=200)
@given(
    height=st.integers(20, 1000),
    frame_aspect=st.floats(0.55, 1.8),
    area=st.tuples(st.floats(0.05, 0.25), st.floats(0.05, 0.25)).map(sorted),
    aspect=st.tuples(st.floats(0.5, 2.0), st.floats(0.5, 2.0)).map(sorted),
    seed=st.integers(0, 2**31),
)
def test_area_and_aspect_are_in_their_ranges_up_to_rounding(height, frame_aspect, area, aspect, seed):
    width = round(height * frame_aspect)
    box = AreaCrop(tuple(area), tuple(aspect)).draw(height, width, generator=seeded(seed))
    slack = 0.5 + 1e-6  # each side was rounded
    frame = height * width
    assert (box.height - slack) * (box.width - slack) <= area[1] * frame
    assert (box.height + slack) * (box.width + slack) >= area[0] * frame
    assert (box.width - slack) / (box.height + slack) <= aspect[1]
    assert (box.width + slack) / (box.height - slack) >= aspect[0]


def test_area_is_uniform_and_aspect_log_uniform():
    generator = seeded(0)
    boxes = [AreaCrop((0.1, 0.25), (0.5, 2.0)).draw(10_000, 10_000, generator=generator) for _ in range(NUM_DRAWS)]
    areas = torch.tensor([box.height * box.width / 1e8 for box in boxes], dtype=torch.double)
    log_aspects = torch.tensor([math.log(box.width / box.height) for box in boxes], dtype=torch.double)
    assert_uniform(areas, 0.1, 0.25, rounding=1e-3)
    assert_uniform(log_aspects, -math.log(2), math.log(2), rounding=1e-3)
    assert abs(torch.corrcoef(torch.stack([areas, log_aspects]))[0, 1]) < 5 / math.sqrt(NUM_DRAWS)


def test_every_position_is_equally_likely_up_to_the_borders():
    generator = seeded(0)
    boxes = Counter(AreaCrop((0.25, 0.25), (1.0, 1.0)).draw(8, 8, generator=generator) for _ in range(NUM_DRAWS))
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
        assert AreaCrop(area, aspect).draw(height, width, generator=seeded(seed)) == expected


@settings(max_examples=100)
@given(long=st.integers(400, 3000), short=st.integers(1, 20), stands=st.booleans(), seed=st.integers(0, 2**31))
def test_the_central_box_is_torchvisions(long, short, stands, seed):
    height, width = (long, short) if stands else (short, long)
    area, aspect = (0.2, 0.766), (0.75, 1.3333)
    ours = AreaCrop(area, aspect).draw(height, width, generator=seeded(seed))
    theirs = RandomResizedCrop.get_params(torch.empty(3, 1, 1).expand(3, height, width), list(area), list(aspect))
    assert tuple(ours) == theirs


def test_a_box_is_a_function_of_its_generator():
    boxes = [AreaCrop((0.2, 0.766), (0.75, 1.3333)).draw(240, 320, generator=seeded(seed)) for seed in (3, 3, 4)]
    assert boxes[0] == boxes[1] != boxes[2]


@settings(max_examples=200)
@given(
    height=st.integers(1, 2000),
    width=st.integers(1, 2000),
    low=st.integers(32, 400),
    more=st.integers(0, 100),
    share=st.floats(0.1, 1.0),
    seed=st.integers(0, 2**31),
)
def test_a_square_of_the_resized_frame_is_inside_the_frame(height, width, low, more, share, seed):
    size = max(1, int(low * share))
    box = ShortSideCrop((low, low + more), size).draw(height, width, generator=seeded(seed))
    assert all(type(value) is int for value in box)
    assert 0 <= box.top < box.top + box.height <= height
    assert 0 <= box.left < box.left + box.width <= width
    assert box.height == box.width
    assert box.width >= 1
    least, most = (size * min(height, width) / short for short in (low + more, low))
    assert math.floor(least) <= box.width <= max(1, math.ceil(most))


def test_short_sides_are_spread_over_their_range_with_both_ends():
    """A frame of 840 x 900 and a square of 1 of the short side's 2, 3, 4, 5, 6, 7 pixels: sides 420, 280, 210, ..."""
    crop, generator = ShortSideCrop((2, 7), 1), seeded(0)
    sides = Counter(crop.draw(840, 900, generator=generator).height for _ in range(NUM_DRAWS))
    assert set(sides) == {840 // short for short in range(2, 8)}
    assert stats.chisquare(list(sides.values())).pvalue > UNLIKELY, sides


def test_every_position_of_the_square_is_equally_likely_up_to_the_borders():
    generator = seeded(0)
    boxes = Counter(ShortSideCrop((256, 256), 128).draw(8, 10, generator=generator) for _ in range(NUM_DRAWS))
    assert set(boxes) == {CropBox(top, left, 4, 4) for top in range(5) for left in range(7)}
    assert stats.chisquare(list(boxes.values())).pvalue > UNLIKELY, boxes


def test_the_square_may_be_the_whole_short_side():
    assert ShortSideCrop((256, 256), 256).draw(360, 360, generator=seeded(0)) == CropBox(0, 0, 360, 360)


@pytest.mark.parametrize(
    ("crop", "size"),
    [
        (AreaCrop((0.2, 1.0), (0.75, 1.3333)), (32, 32)),
        (AreaCrop((0.9, 1.0), (0.5, 2.0)), (30, 40)),  # most tries do not fit
        (AreaCrop((1.0, 1.0), (3.0, 4.0)), (30, 40)),  # none fits
        (ShortSideCrop((32, 40), 24), (32, 48)),
    ],
)
def test_from_the_words_of_many_generators(crop, size):
    words = Words(range(200), num_words=MOST_NUMBERS)
    boxes = [crop.draw_from(numbers, *size) for numbers in words.rest()]
    assert boxes == [crop.draw(*size, generator=seeded(seed)) for seed in range(200)]
