import importlib.util
import math
from pathlib import Path

import pytest
import pytorchvideo
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.v2 import CenterCrop, Resize
from torchvision.transforms.v2.functional import pil_to_tensor

from sce_video.clips.decoders import VideoOpener
from sce_video.data.sources import read_image_folders
from sce_video.evaluate.views import ViewProtocol, ViewsDataset, resize_short_side, spatial_crops


def pytorchvideo_functions():
    """Its `transforms.functional`; the package around it imports what today's torchvision lacks."""
    file = Path(pytorchvideo.__file__).parent / "transforms" / "functional.py"
    spec = importlib.util.spec_from_file_location("pytorchvideo_functional", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PYTORCHVIDEO = pytorchvideo_functions()


def across(height, width, step):
    """uint8 (T, C, H, W) of two frames: each pixel is `step` brighter than the one to its left."""
    row = torch.arange(width, dtype=torch.uint8) * step
    return row.expand(2, 3, height, width)


def crops_of(clip, *, num_crops, size_pixels):
    """The crops of one clip (T, C, H, W), a list."""
    resized = resize_short_side(clip, size_pixels=size_pixels)
    return list(spatial_crops(resized[None], num_crops=num_crops))


def values(crop):
    """The row of a crop of `across`, after checking that all its rows, channels and frames are alike."""
    assert torch.equal(crop, crop[:1, :1, :1].expand_as(crop))
    return crop[0, 0, 0].tolist()


def test_three_crops_of_a_landscape_clip():
    left, center, right = crops_of(across(4, 10, 10), num_crops=3, size_pixels=4)
    assert values(left) == [0, 10, 20, 30]
    assert values(center) == [30, 40, 50, 60]
    assert values(right) == [60, 70, 80, 90]


def test_three_crops_of_a_portrait_clip():
    top, center, bottom = crops_of(across(4, 10, 10).transpose(-1, -2), num_crops=3, size_pixels=4)
    assert values(top.transpose(-1, -2)) == [0, 10, 20, 30]
    assert values(center.transpose(-1, -2)) == [30, 40, 50, 60]
    assert values(bottom.transpose(-1, -2)) == [60, 70, 80, 90]


def test_the_shorter_side_is_resized_first():
    # 8 x 20 -> 4 x 10: each pixel becomes the mean of two neighbours, 20 i + 5 * (0 + 1) ... = 10, 30, 50
    left, center, right = crops_of(across(8, 20, 10), num_crops=3, size_pixels=4)
    assert values(left) == [5, 25, 45, 65]
    assert values(center) == [65, 85, 105, 125]
    assert values(right) == [125, 145, 165, 185]


def test_resizing_down_does_not_antialias():
    # 3 -> 1: bilinear looks at the middle pixel only; with antialiasing its neighbours would count as well.
    clip = torch.zeros(1, 3, 3, 9, dtype=torch.uint8)
    clip[..., 1::3] = 200  # the middle column of each third
    (crop,) = crops_of(clip, num_crops=1, size_pixels=1)
    assert crop.unique().tolist() == [200]


def test_half_of_an_odd_slack_is_rounded_up():
    left, center, right = crops_of(across(5, 8, 10), num_crops=3, size_pixels=5)
    assert values(left) == [0, 10, 20, 30, 40]
    assert values(center) == [20, 30, 40, 50, 60]
    assert values(right) == [30, 40, 50, 60, 70]


@pytest.mark.parametrize("stands", [False, True], ids=["landscape", "portrait"])
@pytest.mark.parametrize(
    ("width", "height", "size", "long", "offsets"),
    [
        (320, 240, 256, 341, [0, 43, 85]),
        (416, 240, 256, 443, [0, 94, 187]),
        (640, 426, 256, 384, [0, 64, 128]),
        (320, 240, 112, 149, [0, 19, 37]),
        (340, 256, 256, 340, [0, 42, 84]),
        (244, 112, 112, 244, [0, 66, 132]),
    ],
)
def test_the_long_side_and_the_offsets_are_those_of_the_field(width, height, size, long, offsets, stands):
    frame = torch.zeros(1, 3, *((width, height) if stands else (height, width)), dtype=torch.uint8)
    resized = resize_short_side(frame, size_pixels=size)
    assert tuple(resized.shape[-2:]) == ((long, size) if stands else (size, long))
    numbers = torch.arange(long).view(1, 1, 1, -1).expand(1, 1, size, long)
    for num_crops, expected in ((3, offsets), (1, [offsets[1]])):
        crops = spatial_crops((numbers.mT if stands else numbers)[None], num_crops=num_crops)
        assert [int(crop.min()) for crop in crops] == expected
        assert [int(crop.max()) for crop in crops] == [offset + size - 1 for offset in expected]


@settings(max_examples=100)
@given(height=st.integers(16, 300), width=st.integers(16, 300), size=st.sampled_from((7, 32, 56, 64, 112, 128)))
@example(height=240, width=320, size=112)
@example(height=112, width=244, size=112)
def test_views_are_pytorchvideos(height, width, size):
    """Where the quotient of floats falls below a whole number theirs is one short, which ours is not."""
    frame = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8)
    ours = resize_short_side(frame, size_pixels=size)
    theirs = PYTORCHVIDEO.short_side_scale(frame.transpose(0, 1).float(), size)  # (C, T, H, W)
    short, long = sorted((height, width))
    if math.floor(long / short * size) != long * size // short:
        assert long * size % short == 0
        assert max(ours.shape) == max(theirs.shape) + 1
        return
    assert ours.shape[-2:] == theirs.shape[-2:]
    torch.testing.assert_close(ours.float(), theirs.transpose(0, 1), rtol=0, atol=2.0)  # uint8, rounded per axis
    crops = spatial_crops(ours[None], num_crops=3)
    for number, crop in enumerate(crops):
        assert torch.equal(crop, PYTORCHVIDEO.uniform_crop(ours.transpose(0, 1), size, number).transpose(0, 1))


def test_a_square_clip_gives_the_whole_frame_three_times():
    clip = across(6, 6, 10)
    assert all(torch.equal(crop, clip) for crop in crops_of(clip, num_crops=3, size_pixels=6))


@settings(max_examples=100)
@given(height=st.integers(1, 80), width=st.integers(1, 80), size=st.integers(1, 48), stands=st.booleans())
def test_crops_are_squares_of_the_size_for_any_frame(height, width, size, stands):
    clip = across(height, width, 3)
    clip = clip.transpose(-1, -2) if stands else clip
    crops = crops_of(clip, num_crops=3, size_pixels=size)
    assert [(crop.shape, crop.dtype) for crop in crops] == [((2, 3, size, size), torch.uint8)] * 3
    (center,) = crops_of(clip, num_crops=1, size_pixels=size)
    assert torch.equal(center, crops[1])


@settings(max_examples=100)
@given(height=st.integers(4, 60), width=st.integers(4, 60), size=st.integers(4, 48))
def test_a_mirrored_clip_gives_mirrored_crops_in_reverse(height, width, size):
    generator = torch.Generator().manual_seed(height * 100 + width)
    clip = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8, generator=generator)
    first, _, last = crops_of(clip, num_crops=3, size_pixels=size)
    mirrored_first, _, mirrored_last = crops_of(clip.flip(-1, -2), num_crops=3, size_pixels=size)
    for crop, other in ((first, mirrored_last), (last, mirrored_first)):
        difference = crop.int() - other.flip(-1, -2).int()
        assert difference.abs().max() <= 1  # rounding of the resize


@pytest.mark.parametrize(("height", "width"), [(300, 400), (501, 400), (64, 92), (32, 32)])
def test_an_image_s_view_is_torchvisions(tmp_path, height, width):
    """ImageNet's protocol at an eighth of its size: Resize(32) of the PIL image, then CenterCrop(28)."""
    pixels = torch.randint(256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (tmp_path / "a").mkdir()
    image = Image.fromarray(pixels.numpy())
    image.save(tmp_path / "a" / "1.png")
    protocol = ViewProtocol(1, 0.04, 1, 1, 28, resize_pixels=32, antialiased_resize=True)
    images = read_image_folders(tmp_path, ".").opened_by(VideoOpener("pyav"))
    clips = ViewsDataset(images, protocol=protocol)[0].clips
    assert min(clips.shape[-2:]) == 32
    (view,) = spatial_crops(clips, num_crops=1, size_pixels=28)
    theirs = pil_to_tensor(CenterCrop(28)(Resize(32)(image)))
    assert view.shape == (1, *theirs.shape)
    assert (view[0].int() - theirs.int()).abs().max() <= 1


def test_smaller_crops_lie_along_the_longer_side():
    numbers = torch.arange(60).view(1, 1, 1, 6, 10)
    corners = [int(crop.flatten()[0]) for crop in spatial_crops(numbers, num_crops=3, size_pixels=3)]
    assert corners == [20, 24, 27]  # row 2; columns 0, 4 and 7
    corners = [int(crop.flatten()[0]) for crop in spatial_crops(numbers.mT, num_crops=3, size_pixels=3)]
    assert corners == [20, 24, 27]


def test_other_numbers_of_crops_are_refused():
    with pytest.raises(ValueError, match="num_crops is 2; it must be 1 or 3"):
        crops_of(across(4, 10, 10), num_crops=2, size_pixels=4)


def brightness(views):
    """Mean of each view's frames, (views, T)."""
    return views.float().mean(dim=(2, 3, 4))


def test_views_are_evenly_spaced_clips_times_crops(videos):
    protocol = ViewProtocol(num_clips=3, clip_seconds=1.0, num_frames=4, num_crops=3, size_pixels=16)
    clips = ViewsDataset(videos, protocol=protocol)[0]
    assert (clips.video, clips.failure) == (0, None)
    assert clips.clips.shape == (3, 4, 3, 16, 32)
    assert clips.clips.dtype == torch.uint8
    views = spatial_crops(clips.clips, num_crops=3)
    assert views.shape == (9, 4, 3, 16, 16)
    # 4 s at 10 fps: clips from 0, 1.5 and 3 s, of 10 frames each; of those 0, 3, 6, 9 are kept.
    # A crop shows two of the four columns of squares: 0 and 1, half of 0 with 1 2 and half of 3, or 2 and 3.
    expected = [
        [4 * (start + kept) + 20 * column for kept in (0, 3, 6, 9)]
        for start in (0, 15, 30)
        for column in (0.5, 1.5, 2.5)
    ]
    torch.testing.assert_close(brightness(views), torch.tensor(expected), rtol=0, atol=3)


def test_one_clip_and_one_crop_are_central(videos):
    protocol = ViewProtocol(num_clips=1, clip_seconds=1.0, num_frames=4, num_crops=1, size_pixels=16)
    views = spatial_crops(ViewsDataset(videos, protocol=protocol)[0].clips, num_crops=1)
    expected = [[4 * (15 + kept) + 20 * 1.5 for kept in (0, 3, 6, 9)]]
    torch.testing.assert_close(brightness(views), torch.tensor(expected), rtol=0, atol=3)


def test_a_video_shorter_than_the_clip_repeats_frames(videos):
    protocol = ViewProtocol(num_clips=2, clip_seconds=2.0, num_frames=9, num_crops=1, size_pixels=16)
    views = spatial_crops(ViewsDataset(videos, protocol=protocol)[2].clips, num_crops=1)
    # 5 frames, 9 kept: floor(i / 2) of 0..8, the same in both clips
    expected = [[30 + 4 * (i // 2) + 30 for i in range(9)]] * 2
    torch.testing.assert_close(brightness(views), torch.tensor(expected, dtype=torch.float32), rtol=0, atol=3)


@pytest.mark.parametrize("broken", [1, 3])
def test_a_broken_video_is_named_and_never_replaced(videos, broken):
    protocol = ViewProtocol(num_clips=2, clip_seconds=1.0, num_frames=4, num_crops=3, size_pixels=16)
    dataset = ViewsDataset(videos, protocol=protocol)
    assert len(dataset) == len(videos)
    view = dataset[broken]
    assert view.video == broken
    assert view.clips.numel() == 0
    assert videos.listed.name(broken) in view.failure
    assert "\n" not in view.failure


def test_an_unknown_decoder_is_not_taken_for_a_broken_video(videos):
    protocol = ViewProtocol(num_clips=2, clip_seconds=1.0, num_frames=4, num_crops=3, size_pixels=16)
    with pytest.raises(ValueError, match="decoder is 'vhs'"):
        ViewsDataset(videos.listed.opened_by(VideoOpener("vhs")), protocol=protocol)[0]
