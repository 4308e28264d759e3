"""The order of images by their names is the one a person sees, or they are refused."""

import random
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.clips.decoders.frame_names import FrameNamesError, check_pattern, matching, sorted_by_number


def mixed(names):
    return random.Random(0).sample(names, len(names))


@pytest.mark.parametrize(
    "names",
    [
        [f"{i}_320x240.jpg" for i in range(1, 13)],
        [f"320x240_{i}_of_12.png" for i in range(1, 13)],
        [f"v_Archery_g01_c02_{i:04d}.jpg" for i in range(1, 130)],
        [f"{i:03d}.jpg" for i in range(995, 1005)],
        [f"frame-{i}.jpg" for i in range(1, 12)],
        [f"frame_{i}.JPG" for i in range(8, 12)],
        ["t_-10.jpg", "t_-2.jpg", "t_-1.jpg", "t_0.jpg", "t_1.jpg", "t_10.jpg"],
        ["t-2.jpg", "t-1.jpg", "t0.jpg", "t1.jpg", "t10.jpg"],
        ["-1.jpg", "+0.jpg", "1.jpg"],
        ["0.5.jpg", "1.jpg", "1.25.jpg", "1.5.jpg", "10.jpg"],
        ["0.5.jpg", "1.0.jpg", "9.75.jpg", "9.8.jpg", "10.0.jpg"],
        ["-0.5.jpg", "-0.25.jpg", "0.0.jpg", "0.25.jpg"],
        [f"img.{i:04d}.jpg" for i in range(20)],
        [f"v1.{i:04d}.jpg" for i in range(20)],
        [f"frame_{i:04d}_t{i / 30:.3f}.jpg" for i in range(100)],
        [f"scene{i // 5}_frame{i}.jpg" for i in range(20)],
        ["anything.jpg"],
    ],
    ids=lambda names: names[0],
)
def test_the_number_that_varies_is_the_order(names):
    assert sorted_by_number(mixed(names)) == names


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [f"{kind}_{i:05d}.jpg" for kind in ("img", "flow_x", "flow_y") for i in range(1, 13)],
            "images with names of 3 patterns: 12 like flow_x_00001.jpg, 12 like flow_y_00001.jpg, 12 like "
            "img_00001.jpg; choose one with DATA.FRAMES_PATTERN, such as flow_x_{:05d}.jpg",
        ),
        (
            [*(f"{i:06d}.jpg" for i in range(1, 13)), "thumbnail.jpg", "v1_cover.jpg"],
            "images with names of 3 patterns: 12 like 000001.jpg, thumbnail.jpg, v1_cover.jpg; choose one with "
            "DATA.FRAMES_PATTERN, such as {:06d}.jpg",
        ),
        ([f"{i}.{end}" for end in ("jpg", "png") for i in range(3)], "names of 2 patterns: 3 like 0.jpg, 3 like 0.png"),
        (["a.jpg", "b.jpg"], "names of 2 patterns: a.jpg, b.jpg"),
        (
            [f"{a:02d}_{b:02d}.jpg" for a in range(3) for b in range(3)],
            "names like 00_00.jpg and 02_02.jpg give no order",
        ),
        ([f"{i}_left_{10 - i}.jpg" for i in range(10)], "give no order"),  # one rises, the other falls
        (["1.jpg", "01.jpg"], "give no order"),
        (["-1.jpg", "-2.jpg", "-3.jpg"], "give more than one order"),  # signs, or not
        (["v1.9.jpg", "v1.10.jpg"], "give more than one order"),  # decimals, or not
        (["0.1.jpg", "0.25.jpg", "0.5.jpg"], "give more than one order"),
    ],
    ids=lambda value: None if isinstance(value, str) else value[0],
)
def test_names_without_a_unique_order_are_refused(names, message):
    with pytest.raises(FrameNamesError) as caught:
        sorted_by_number(mixed(names))
    assert message in str(caught.value)
    assert "DATA.FRAMES_PATTERN" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("img_{:05d}.jpg", ["img_00001.jpg", "img_00002.jpg", "img_100000.jpg"]),
        ("img_{:06d}.jpg", ["img_100000.jpg"]),
        ("img_{:d}.jpg", ["img_00001.jpg", "img_00002.jpg", "img_3.jpg", "img_100000.jpg"]),
        ("{}.png", ["-1.png", "0.5.png", "2.png", "11.png"]),
        ("{:d}.png", ["-1.png", "2.png", "11.png"]),
        ("{:.2f}.png", ["-1.png", "0.5.png", "2.png", "11.png"]),
        ("*_a.{:d}.tif", ["x_a.2.tif", "y_a.10.tif"]),
        ("{:d}_{:d}.bmp", ["1_2.bmp", "1_10.bmp", "2_1.bmp"]),
        ("none_{:d}.jpg", []),
    ],
)
def test_a_pattern_chooses_and_orders(pattern, found):
    names = ["img_00001.jpg", "img_00002.jpg", "img_100000.jpg", "img_3.jpg", "thumbnail.jpg", "flow_x_00001.jpg"]
    names += ["-1.png", "0.5.png", "2.png", "11.png", "x_a.2.tif", "y_a.10.tif", "1_2.bmp", "1_10.bmp", "2_1.bmp"]
    assert matching(mixed(names), pattern) == found


@pytest.mark.parametrize("pattern", ["img.jpg", "img_%05d.jpg", "{x}.jpg", "{:05x}.jpg", "{", "a/{:d}.jpg", "*.jpg"])
def test_invalid_patterns_are_refused(pattern):
    with pytest.raises(FrameNamesError, match="is not a pattern of names"):
        check_pattern(pattern)


def test_a_pattern_without_a_unique_order_is_refused():
    with pytest.raises(FrameNamesError, match="the same number"):
        matching(["a_1.jpg", "b_1.jpg"], "*_{:d}.jpg")


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=30, unique=True),
    st.sampled_from(["{:d}.jpg", "img_{:08d}.png", "v_7_c2_{:d}_9.jpg", "f{:d}.bmp", "a-{:06d}-b.jpg", "t={:+d}.jpg"]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_integers_in_any_pattern(numbers, template, draw):
    names = [template.format(number) for number in numbers]
    draw.shuffle(names)
    assert sorted_by_number(names) == [template.format(number) for number in sorted(numbers)]


@given(
    st.lists(st.text("01-+._aé", min_size=1, max_size=8), max_size=12, unique=True), st.text("{}:d05*_a.f", max_size=9)
)
@settings(max_examples=100)
def test_any_names_are_ordered_or_refused(names, pattern):
    """All of them, once each, in an order that does not depend on the input's."""
    outcomes = []
    for shuffled in (names, names[::-1], sorted(names)):
        try:
            outcomes.append(sorted_by_number(shuffled))
        except FrameNamesError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    if isinstance(outcomes[0], list):
        assert sorted(outcomes[0]) == sorted(names)
    with suppress(FrameNamesError):
        assert set(matching(names, pattern)) <= set(names)


def test_decimals_of_many_digits_are_exact():
    names = ["0.1.jpg", "0.10000000000000000001.jpg", "1.0.jpg"]
    assert matching(names, "{:f}.jpg") == names
    assert Fraction("0.1") < Fraction("0.10000000000000000001")


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["00_00_58.jpg", "00_00_59.jpg", "00_01_00.jpg"], "00_{:d}_{:d}.jpg"),
        (["v1.9.jpg", "v1.10.jpg"], "v1.{:d}.jpg"),
        ([f"{i}_left_{10 - i}.jpg" for i in range(10)], "{:d}_left_{:d}.jpg"),
    ],
)
def test_the_suggested_pattern_matches_every_frame(names, pattern):
    with pytest.raises(FrameNamesError) as caught:
        sorted_by_number(names)
    assert str(caught.value).endswith(f"such as {pattern}")
    assert matching(names[::-1], pattern) == names
