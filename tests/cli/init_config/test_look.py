"""The sample, and what is measured on it."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sce_video.cli.init_config.look import gray_maps, look_at, mean_difference, sample_of
from sce_video.data.sources import read_folder
from tests.clips.decoders.numbered import write_video


@given(st.integers(1, 300_000))
def test_a_sample_is_bounded_spread_and_has_neighbours(num_videos: int) -> None:
    sample = sample_of(num_videos, most=200)
    assert sample == sorted(set(sample))
    assert (
        len(sample) == min(num_videos, 200)
        or (200 < num_videos < 400 and 190 <= len(sample) <= 200)
        or len(sample) == 200
    )
    assert sample[0] == 0
    assert sample[-1] == num_videos - 1
    if num_videos > 400:
        assert all(second == first + 1 for first, second in zip(sample[::2], sample[1::2], strict=True))
        gaps = [later - earlier for earlier, later in zip(sample[::2], sample[2::2], strict=False)]
        assert max(gaps) - min(gaps) <= 1


def test_maps_are_gray_means() -> None:
    frames = torch.zeros(2, 3, 48, 64, dtype=torch.uint8)
    frames[1, 0] = 90  # red alone: a gray of 30
    frames[1, :, :2, :2] = 150  # the first of 24 x 32 cells
    black, second = gray_maps(frames)
    assert black.shape == (24, 32)
    assert second[0, 0] == 150
    assert second[5, 5] == 30
    assert mean_difference(black, second) == (150 + 30 * (24 * 32 - 1)) / (24 * 32)


def test_broken_videos_are_named(motion_videos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\x00" * 500)
    (tmp_path / "good.mp4").symlink_to(next(motion_videos.rglob("*.mp4")))
    sample = look_at(read_folder(tmp_path, ""))
    assert list(sample.seen) == [1]
    assert sample.failures[0].startswith(f"{tmp_path}/broken.mp4: ")
    seen = sample.seen[1]
    assert (seen.seconds, seen.fps, seen.num_frames, seen.height, seen.width) == (4.0, 16.0, 64, 64, 64)
    assert seen.maps.shape == (5, 24, 32)
    assert seen.spacing_seconds == 0.2


@pytest.mark.parametrize(
    ("fps", "num_frames", "steps", "spacing"),
    [
        (Fraction(30), 15, [3, 3, 3, 3], 0.1),  # all of its half second
        (Fraction(4), 8, [1, 1, 1], 0.25),
        (Fraction(2), 6, [1], 0.5),
        (Fraction(1, 2), 6, [], 1.0),  # one frame is on screen in the whole middle second
    ],
)
def test_the_frames_are_different(
    tmp_path: Path, fps: Fraction, num_frames: int, steps: list[int], spacing: float
) -> None:
    """Each frame of the video is brighter by 15 than the one before."""
    grays = [np.full((64, 64, 3), 15 * (number + 1), np.uint8) for number in range(num_frames)]
    write_video(tmp_path / "a.mp4", grays, fps=fps)
    seen = look_at(read_folder(tmp_path, "")).seen[0]
    assert len(seen.maps) == len(steps) + 1
    brighter = seen.maps.mean(dim=(1, 2)).diff() / 15
    assert [round(step, 1) for step in brighter.tolist()] == pytest.approx(steps, abs=0.2)
    assert seen.spacing_seconds == pytest.approx(spacing)
