"""The scale on features made by hand, and on networks whose answers are known."""

import pytest
import torch
from torch import Tensor

from sce_video.evaluate.examine.similarity import OTHER_VIDEOS, Rows, half_squared_distances, similarities


def all_other(count: int) -> Tensor:
    return ~torch.eye(count, dtype=torch.bool)


def rows_of(features: Tensor) -> Rows:
    return Rows(features, torch.arange(len(features)))


def test_the_scale_by_hand() -> None:
    """Clips at 0, 90 and 180 degrees: the cosines of other videos are 0, 0 and -1, -1/3 in the mean."""
    clips = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    half = torch.tensor([[1.0, 3**0.5], [3**0.5, 1.0], [-1.0, 3**0.5]])  # 60 degrees away, cosine 0.5
    found = similarities(clips, {"half": rows_of(half), "same": rows_of(3 * clips)}, is_other=all_other(3))
    assert found.cosine_of_others == pytest.approx(-1 / 3)
    bar = found.bars["half"]
    assert (bar.cosine, bar.mean, bar.num_videos) == (pytest.approx(0.5), pytest.approx((0.5 + 1 / 3) / (1 + 1 / 3)), 3)
    assert found.bars["same"].mean == pytest.approx(1)
    others = found.bars[OTHER_VIDEOS]
    assert (others.mean, others.error, others.num_videos) == (0, 0, 3)
    assert others.quantiles[0] == pytest.approx((-1 + 1 / 3) / (1 + 1 / 3))


def test_spread_by_hand() -> None:
    """Of 11 videos the changed one is 0, 1, ... 10 tenths of the way; deciles are the 2nd and the 10th of them."""
    clips = torch.eye(12)[:11]
    cosines = torch.arange(11) / 10
    changed = cosines[:, None] * clips
    changed[:, 11] = (1 - cosines.square()).sqrt()
    bar = similarities(clips, {"x": rows_of(changed)}, is_other=all_other(11)).bars["x"]
    assert bar.quantiles == pytest.approx((0.1, 0.25, 0.5, 0.75, 0.9))
    assert bar.error == pytest.approx(0.1 * 11**0.5 / 11**0.5)  # the variance of 0 .. 10 is 11


def test_a_common_direction_has_no_effect() -> None:
    """Features of untrained networks: cosines of all videos are near 1."""
    generator = torch.Generator().manual_seed(0)
    clips, noise = torch.randn(50, 64, generator=generator), torch.randn(50, 64, generator=generator)
    plain = similarities(clips, {"x": rows_of(clips + 0.5 * noise)}, is_other=all_other(50))
    shifted = similarities(clips + 1e3, {"x": rows_of(clips + 0.5 * noise + 1e3)}, is_other=all_other(50))
    assert shifted.cosine_of_others > 0.99999
    # Squared distances are as 0.25 to 2 in the mean.
    assert shifted.bars["x"].mean == pytest.approx(1 - 0.25 / 2, abs=0.03)
    assert plain.bars["x"].mean == pytest.approx(shifted.bars["x"].mean, abs=0.05)


def test_rows_of_some_videos_and_excluded_pairs() -> None:
    clips = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    is_other = all_other(3)
    is_other[0, 1] = is_other[1, 0] = False  # these two show the same
    found = similarities(
        clips,
        {"x": Rows(clips[2:], torch.tensor([2])), "none": Rows(clips[:0], torch.tensor([], dtype=torch.int64))},
        is_other=is_other,
    )
    assert found.cosine_of_others == pytest.approx(0)
    assert (found.bars["x"].mean, found.bars["x"].num_videos) == (pytest.approx(1), 1)
    assert found.bars["x"].error is None  # one value has no spread
    assert "none" not in found.bars


@pytest.mark.parametrize("feature", [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
def test_equal_features_have_no_scale(feature: list[float]) -> None:
    clips = torch.tensor([feature] * 4)
    found = similarities(clips, {"x": rows_of(clips)}, is_other=all_other(4))
    assert (found.bars, found.cosine_of_others) == ({}, 1)


def test_zeros_have_no_direction_and_are_counted() -> None:
    """Videos at 0 and 90 degrees and one of zeros, which is in no pair; a changed clip of zeros is in no mean."""
    clips = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    changed = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found = similarities(clips, {"x": rows_of(changed), "dead": rows_of(0 * changed)}, is_other=all_other(3))
    assert found.cosine_of_others == pytest.approx(0)
    assert (found.bars["x"].cosine, found.bars["x"].num_videos) == (pytest.approx(1), 1)
    assert set(found.bars) == {"x", OTHER_VIDEOS}
    assert found.bars[OTHER_VIDEOS].num_videos == 2
    assert found.zeros == {"clip": 1, "x": 1, "dead": 3}
    assert similarities(0 * clips, {}, is_other=all_other(3)).zeros == {"clip": 3}


def test_one_video_is_refused() -> None:
    with pytest.raises(ValueError, match="no two different videos"):
        similarities(torch.ones(1, 2), {}, is_other=all_other(1))


def test_distances_of_nearly_equal_vectors() -> None:
    angle = 1e-7
    units = torch.tensor([[1.0, 0.0], [1.0, angle]], dtype=torch.float64)
    assert half_squared_distances(units)[0, 1].item() == pytest.approx(angle**2 / 2, rel=1e-6)
    assert half_squared_distances(units).diagonal().tolist() == [0, 0]
