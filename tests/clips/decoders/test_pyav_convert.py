"""Crops cut before the conversion equal those cut from whole converted frames, to the bit."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.clips.decoders import CropRequest, open_video
from sce_video.clips.decoders import pyav_convert as convert_module
from sce_video.clips.decoders.pyav_convert import CropCollector, FrameConverter
from tests.clips.decoders.numbered import write_video


def noise_frames(height, width, *, pixel_format="yuv420p", num_frames=3, seed=0):
    """YUV of all values, even out of range, without smooth areas that would hide errors."""
    draw = np.random.default_rng(seed)
    frames = [av.VideoFrame(width, height, pixel_format) for _ in range(num_frames)]
    for frame in frames:
        for plane in frame.planes:
            plane.update(draw.integers(0, 256, plane.buffer_size, dtype=np.uint8).tobytes())
    return frames


def converted(frames, box, *, height=64, width=96, order=None):
    """Frame i is the i-th in time, and at order[i] in its clip; frames are put in by time."""
    order = order or range(len(frames))
    request = CropRequest([float(order.index(index)) for index in range(len(frames))], box)
    collector = CropCollector([request], FrameConverter(height=height, width=width, quarter_turns=0))
    collector.put(frames[:2])
    collector.put(frames[2:])
    return collector.clips()[0][list(order)]


def cut_from_whole(frames, box):
    top, left, height, width = box
    whole = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
    return whole[:, top : top + height, left : left + width]


@st.composite
def sizes_and_boxes(draw):
    height, width = draw(st.integers(2, 90)), draw(st.integers(2, 130))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return height, width, (top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left)))


@given(
    sizes_and_boxes(),
    st.sampled_from(["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "gray"]),
    st.integers(1, 6),
    st.integers(0, 9),
)
@settings(max_examples=400)
def test_any_crop_of_any_size(size_and_box, pixel_format, num_frames, seed):
    height, width, box = size_and_box
    frames = noise_frames(height, width, pixel_format=pixel_format, num_frames=num_frames, seed=seed)
    assert np.array_equal(converted(frames, box, height=height, width=width), cut_from_whole(frames, box))


@given(sizes_and_boxes(), st.permutations(range(7)), st.integers(1, 20_000), st.floats(0, 1))
@settings(max_examples=200)
def test_any_number_at_once_in_any_order(size_and_box, order, most_pixels, largest_cut):
    height, width, box = size_and_box
    frames = noise_frames(height, width, num_frames=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert_module, "_MOST_STACKED_PIXELS", most_pixels)
        patch.setattr(convert_module, "_LARGEST_CUT", largest_cut)
        clip = converted(frames, box, height=height, width=width, order=order)
    assert np.array_equal(clip, cut_from_whole(frames, box))


# AVCOL_SPC and AVCOL_RANGE of FFmpeg: unspecified, BT.709, BT.601, BT.2020; unspecified, limited, full.
@pytest.mark.parametrize("colorspace", [2, 1, 5, 9])
@pytest.mark.parametrize("color_range", [0, 1, 2])
def test_colour_spaces_are_converted_the_same_way(colorspace, color_range):
    frames = noise_frames(64, 96)
    for frame in frames:
        frame.colorspace, frame.color_range = colorspace, color_range
    box = (3, 5, 41, 63)
    assert np.array_equal(converted(frames, box), cut_from_whole(frames, box))


def test_frames_of_different_colour_spaces_are_converted_separately():
    frames = noise_frames(64, 96, num_frames=4)
    frames[1].colorspace, frames[2].color_range = 1, 2
    box = (10, 11, 33, 50)
    assert np.array_equal(converted(frames, box), cut_from_whole(frames, box))


def test_a_frame_of_another_size_among_them_is_scaled_first():
    frames = [*noise_frames(64, 96, num_frames=2), *noise_frames(32, 48, num_frames=1)]
    box = (8, 8, 40, 60)
    clip = converted(frames, box)
    assert np.array_equal(clip[:2], cut_from_whole(frames[:2], box))
    scaled = frames[2].to_ndarray(format="rgb24", width=96, height=64)
    assert np.array_equal(clip[2], scaled[8:48, 8:68])


_PLAIN, _INTERLACED = {"bf": "0", "g": "4"}, {"x264-params": "interlaced=1:tff=1"}


@pytest.mark.parametrize(
    ("size", "options"), [((96, 128), _PLAIN), ((97, 128), _PLAIN), ((96, 129), _PLAIN), ((96, 128), _INTERLACED)]
)
def test_crops_of_two_clips_of_a_file(tmp_path, size, options):
    """Odd sizes and interlaced frames, in which neighbouring rows share colours, are cut after converting."""
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(12)]
    pixel_format = "yuv420p" if size == (96, 128) else "yuv444p"
    path = tmp_path / "noise.mp4"
    write_video(path, images, options=options, fps=Fraction(25), pixel_format=pixel_format)
    with av.open(str(path)) as container:
        whole = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    times = [(index + 0.5) / 25 for index in range(12)]
    with open_video(path, decoder="pyav") as opened:
        first, second = opened.crops_at(
            [CropRequest(times[2:9], (1, 3, 50, 71)), CropRequest(times[5:12], (31, 0, 65, 128))]
        )
    assert np.array_equal(first.permute(0, 2, 3, 1).numpy(), whole[2:9, 1:51, 3:74])
    assert np.array_equal(second.permute(0, 2, 3, 1).numpy(), whole[5:12, 31:96, 0:128])
