import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from sce_video.augment import color_jitter as color

pytestmark = pytest.mark.rounding

COLORS = {
    "red": (1.0, 0.0, 0.0),
    "yellow": (1.0, 1.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "blue": (0.0, 0.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "black": (0.0, 0.0, 0.0),
    "gray": (0.4, 0.4, 0.4),
    "white": (1.0, 1.0, 1.0),
}


@pytest.fixture
def views():
    """(4, 3, 3, 5, 9): random colors, of unequal brightness in every frame, and a row of difficult hues."""
    generator = torch.Generator().manual_seed(0)
    views = torch.rand(4, 3, 3, 5, 9, generator=generator)
    views *= torch.rand(4, 1, 3, 1, 1, generator=generator) * 0.8 + 0.2
    views[:, :, :, 0] = torch.tensor(list(COLORS.values())).T[:, None]
    return views


def frame_by_frame(views, op, factors):
    """Torchvision's op on every frame of every video, with the video's factor."""
    videos = [
        torch.stack([op(frame, factor) for frame in video.unbind(1)], dim=1)
        for video, factor in zip(views, factors, strict=True)
    ]
    return torch.stack(videos)


def flat(name, num_frames=1):
    """One video in one color, (1, 3, T, 1, 1)."""
    return torch.tensor(COLORS[name]).view(1, 3, 1, 1, 1).repeat(1, 1, num_frames, 1, 1)


@pytest.mark.parametrize(
    ("ours", "theirs", "factors"),
    [
        (color.adjust_brightness, TF.adjust_brightness, [0.0, 0.2, 1.3, 2.6]),
        (color.adjust_contrast, TF.adjust_contrast, [0.0, 0.2, 1.3, 2.6]),
        (color.adjust_saturation, TF.adjust_saturation, [0.0, 0.6, 1.4, 1.8]),
        (color.shift_hue, TF.adjust_hue, [-0.5, -0.13, 0.2, 0.5]),
        (color.shift_hue, TF.adjust_hue, [-0.2, 0.0, 1 / 6, 1 / 3]),
    ],
)
def test_each_video_is_changed_by_its_own_factor_as_torchvision_changes_images(views, ours, theirs, factors):
    result = ours(views, torch.tensor(factors))
    torch.testing.assert_close(result, frame_by_frame(views, theirs, factors), rtol=0, atol=5e-6)  # measured 0.8e-6
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize(
    ("op", "neutral"),
    [
        (color.adjust_brightness, 1.0),
        (color.adjust_contrast, 1.0),
        (color.adjust_saturation, 1.0),
        (color.shift_hue, 0.0),
    ],
)
def test_the_neutral_factor_changes_nothing_and_the_argument_is_left_alone(views, op, neutral):
    before = views.clone()
    torch.testing.assert_close(op(views, torch.full((4,), neutral)), views, rtol=0, atol=2e-6)
    op(views, torch.full((4,), 0.3))
    assert torch.equal(views, before)


def test_contrast_0_leaves_the_mean_gray_of_each_frame():
    views = torch.cat([flat("black"), flat("white")], dim=2)  # two frames; the mean of both would be 0.5
    result = color.adjust_contrast(views, torch.zeros(1))
    expected = torch.tensor([0.0, 0.9999])  # torchvision's gray weights sum to that
    torch.testing.assert_close(result, expected.view(1, 1, 2, 1, 1).expand(1, 3, 2, 1, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("turns", "start", "end"),
    [
        (1 / 3, "red", "green"),
        (1 / 3, "green", "blue"),
        (-1 / 3, "red", "blue"),
        (1 / 6, "red", "yellow"),
        (-1 / 6, "red", "magenta"),
        (0.5, "red", "cyan"),
        (-0.5, "red", "cyan"),
        (0.37, "gray", "gray"),
        (0.37, "white", "white"),
        (0.37, "black", "black"),
    ],
)
def test_hue_turns_around_the_color_wheel(turns, start, end):
    result = color.shift_hue(flat(start), torch.tensor([turns]))
    torch.testing.assert_close(result, flat(end), rtol=0, atol=2e-6)


def test_hue_shifts_add_up(views):
    twice = color.shift_hue(color.shift_hue(views, torch.full((4,), 0.15)), torch.full((4,), 0.2))
    torch.testing.assert_close(twice, color.shift_hue(views, torch.full((4,), 0.35)), rtol=0, atol=5e-6)
