"""Which frame is on screen at a time, with videos whose frames show their numbers, independent of any decoder."""

import math
import random
import re
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from sce_video.clips.decoders import DECODERS, CropRequest, DecodeError, decoder_version, open_video
from sce_video.clips.decoders import pyav_decoder as pyav_module
from sce_video.clips.decoders.pyav_decoder import PyAVDecoder
from tests.clips.decoders.numbered import numbers_in, write_video
from tests.clips.decoders.recipes import KNOWN_WRONG, MEASURED_WITH, ONLY_PYAV, RECIPES


def cases(decoders, names):
    """Parametrize with every recipe and each decoder that reads it."""
    pairs = [
        pytest.param(name, decoder, id=f"{name}-{decoder}")
        for name in names
        for decoder in decoders
        if decoder == "pyav" or name not in ONLY_PYAV
    ]
    return pytest.mark.parametrize(
        ("name", "decoder"), [p for p in pairs if not is_known_wrong(*p.values)], indirect=["decoder"]
    )


def is_known_wrong(name, decoder):
    return name in KNOWN_WRONG.get(decoder, ())


ALL = pytest.mark.parametrize("decoder", list(DECODERS), indirect=True)


def check_the_frame_on_screen(video, decoder):
    """Random times, at least a fifth of a frame away from every change of frame: together, then each with its seek."""
    draw = random.Random(0)
    spans = [*zip(video.starts, video.ends, strict=True)]
    longest = max(range(len(spans)), key=lambda i: spans[i][1] - spans[i][0])
    times = [
        start + (end - start) * draw.uniform(0.2, 0.8) for start, end in [spans[longest], *draw.choices(spans, k=14)]
    ]
    expected = [video.number_at(time) for time in times]
    with open_video(video.path, decoder=decoder) as opened:
        together = opened.frames_at(times)
        assert together.dtype == torch.uint8
        assert together.shape == (15, 3, 32, 128)
        assert numbers_in(together) == expected
        alone = [numbers_in(opened.frames_at([time]))[0] for time in times]
    assert alone == expected


def check_every_frame_is_reached(video, decoder):
    times = [(start + end) / 2 for start, end in zip(video.starts, video.ends, strict=True)]
    with open_video(video.path, decoder=decoder) as opened:
        frames = opened.frames_at(times)
    assert numbers_in(frames) == video.numbers


def check_two_clips_together(video, decoder):
    """Two clips of 8 frames that overlap, the later one first, as they come from two views; and times outside."""
    length = video.ends[-1]
    clips = [[(begin + i / 20) * length for i in range(8)] for begin in (0.5113, 0.3317)]
    times = [*clips[0], *clips[1], clips[0][3], -1.0, math.inf, length + 1e6, -math.inf]
    expected = [video.number_at(min(time, length)) for time in times]
    with open_video(video.path, decoder=decoder) as opened:
        assert numbers_in(opened.frames_at(times)) == expected


def check_the_first_instant(video, decoder):
    picks = sorted({0, 1, 5, 8, 19, 20, len(video.numbers) // 2, len(video.numbers) - 1} & {*range(len(video.numbers))})
    with open_video(video.path, decoder=decoder) as opened:
        numbers = numbers_in(opened.frames_at([video.starts[i] for i in picks]))
    assert numbers == [video.numbers[i] for i in picks]


def check_all(video, decoder):
    check_the_frame_on_screen(video, decoder)
    check_every_frame_is_reached(video, decoder)
    check_two_clips_together(video, decoder)
    check_the_first_instant(video, decoder)


@cases(DECODERS, RECIPES)
def test_the_right_frames(numbered_video, name, decoder):
    check_all(numbered_video(name), decoder)


@pytest.mark.parametrize(
    ("name", "decoder"),
    [pytest.param(name, decoder, id=f"{name}-{decoder}") for decoder, names in KNOWN_WRONG.items() for name in names],
    indirect=["decoder"],
)
def test_what_is_known_to_be_wrong_still_is(numbered_video, name, decoder):
    """A pair that fails here works now: remove it from the list."""
    version = decoder_version(decoder)
    if not re.match(MEASURED_WITH[decoder], version):
        pytest.skip(f"the list is that of {MEASURED_WITH[decoder]}; this is {version}")
    video = numbered_video(name)
    with pytest.raises((AssertionError, DecodeError)):
        check_all(video, decoder)


@pytest.mark.parametrize("name", RECIPES)
def test_pyav_equals_decoding_from_the_first_frame_pixel_for_pixel(numbered_video, name):
    video = numbered_video(name)
    with av.open(str(video.path)) as container:
        expected = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    times = [(start + end) / 2 for start, end in zip(video.starts, video.ends, strict=True)]
    assert len(expected) == len(times)
    with open_video(video.path, decoder="pyav") as opened:
        together = opened.frames_at(times).permute(0, 2, 3, 1).numpy()
        alone = [opened.frames_at([time])[0].permute(1, 2, 0).numpy() for time in times[::7]]
    assert np.array_equal(together, expected)
    assert np.array_equal(np.stack(alone), expected[::7])


# Files without a number of frames, whose rate is a guess.
RATE_UNKNOWN = {
    "mkv variable rate",
    "webm wildly variable rate",
    "ts wildly variable rate",
    "avi variable rate",
    "vp8 invisible frames",
}


@cases(DECODERS, RECIPES)
def test_metadata(numbered_video, name, decoder):
    video = numbered_video(name)
    with open_video(video.path, decoder=decoder) as opened:
        metadata = opened.metadata
    assert (metadata.height, metadata.width) == (32, 128)
    frame_seconds = max(b - a for a, b in zip(video.starts, video.ends, strict=True))
    assert metadata.duration_seconds == pytest.approx(video.ends[-1], abs=2 * frame_seconds + 0.01)
    assert metadata.num_frames == pytest.approx(metadata.duration_seconds * metadata.fps, abs=1)
    if name not in RATE_UNKNOWN:
        assert abs(metadata.num_frames - len(video.numbers)) <= 2


@pytest.mark.parametrize("name", sorted(ONLY_PYAV))
def test_other_containers_go_through_pyav(numbered_video, name):
    for decoder in DECODERS:
        with open_video(numbered_video(name).path, decoder=decoder) as opened:
            assert type(opened) is PyAVDecoder


@ALL
def test_times_may_be_unsorted_and_repeated(numbered_video, decoder):
    video = numbered_video("mp4 b-frames")
    numbers = [90, 3, 3, 149, 0, 90, 25, 24, 23, 3]
    with open_video(video.path, decoder=decoder) as opened:
        assert numbers_in(opened.frames_at([(n + 0.5) / 30 for n in numbers])) == numbers


@ALL
@pytest.mark.parametrize("name", ["mp4 b-frames", "avi b-frames"])
def test_crops_are_cut_from_the_frames(numbered_video, name, decoder):
    """Of two clips that share a time, in another order, each with a rectangle of its own."""
    with open_video(numbered_video(name).path, decoder=decoder) as opened:
        times = [[3.02, 0.5, 4.9, 0.5], [1.0, 0.5]]
        boxes = [(1, 3, 20, 50), (0, 0, opened.metadata.height, opened.metadata.width)]
        crops = opened.crops_at([CropRequest(*request) for request in zip(times, boxes, strict=True)])
        for crop, wanted, (top, left, height, width) in zip(crops, times, boxes, strict=True):
            whole = opened.frames_at(wanted)
            assert torch.equal(crop, whole[..., top : top + height, left : left + width])
            assert crop.shape == (len(wanted), 3, height, width)


@ALL
def test_times_outside_are_clamped(numbered_video, decoder):
    with open_video(numbered_video("mp4 b-frames").path, decoder=decoder) as opened:
        times = [-1.0, -math.inf, 5.0, 1e6, math.inf]
        assert numbers_in(opened.frames_at(times)) == [0, 0, 149, 149, 149]
        assert numbers_in(opened.frames_at([1e6])) == [149]


@ALL
def test_times_must_be_numbers(numbered_video, decoder):
    with open_video(numbered_video("mp4").path, decoder=decoder) as opened:
        with pytest.raises(ValueError, match="times_seconds is empty"):
            opened.frames_at([])
        with pytest.raises(ValueError, match="every time must be a number"):
            opened.frames_at([0.0, math.nan])


def test_a_bare_stream_that_changes_size(tmp_path):
    """No container and no timestamps: 25 frames per second; all frames have the first one's size."""
    path = tmp_path / "both.h264"
    for width, height in ((64, 48), (128, 32)):
        part = tmp_path / f"{width}.h264"
        write_video(
            part, [np.full((height, width, 3), width, dtype=np.uint8)] * 10, options={"bf": "0"}, fps=Fraction(25)
        )
        path.write_bytes((path.read_bytes() if path.exists() else b"") + part.read_bytes())
    with open_video(path, decoder="pyav") as opened:
        assert (opened.metadata.num_frames, opened.metadata.fps) == (20, 25.0)
        frames = opened.frames_at([0.38, 0.42, 0.0])
    assert frames.shape == (3, 3, 48, 64)
    assert frames.float().mean(dim=(1, 2, 3)).tolist() == pytest.approx([64, 128, 64], abs=3)


@pytest.fixture
def openings(monkeypatch):
    """Paths of the files that PyAV has opened: a second opening is a restart from the first frame."""
    paths = []
    original = pyav_module.open_stream

    def counted(path, **how):
        paths.append(path)
        return original(path, **how)

    monkeypatch.setattr(pyav_module, "open_stream", counted)
    return paths


SEEKS = [
    *("mp4", "mp4 b-frames", "mp4 open gop", "mp4 variable rate", "mkv late start", "webm vp8", "webm vp9 alt-ref"),
    *("hevc open gop", "av1 mp4", "mp4 cut in a group", "mp4 fragmented", "mp4 truncated", "mkv without index"),
]


@pytest.mark.parametrize("name", SEEKS)
def test_pyav_seeks_where_that_is_safe(numbered_video, openings, name):
    video = numbered_video(name)
    with open_video(video.path, decoder="pyav") as opened:
        for share in (0.9, 0.3, 0.6, 0.0):
            opened.frames_at([share * video.ends[-1]])
    assert len(openings) == 1


@pytest.mark.parametrize("name", ["avi b-frames", "ts", "mpeg4 mp4 b-frames", "hevc all key"])
def test_pyav_decodes_from_the_start_where_seeking_is_not_safe(numbered_video, openings, name):
    video = numbered_video(name)
    with open_video(video.path, decoder="pyav") as opened:
        for share in (0.9, 0.3):
            opened.frames_at([share * video.ends[-1]])
    assert 2 <= len(openings) <= 3  # the first call may continue from the first frame, decoded when the file was opened


def test_a_planned_frame_that_is_never_output(numbered_video, openings):
    """Frames 10 and 11 are decoded but not shown, which the container does not mark: frame 9 stays on screen."""
    with open_video(numbered_video("vp8 invisible frames").path, decoder="pyav") as opened:
        assert numbers_in(opened.frames_at([0.25, 0.31])) == [7, 9]
        assert len(openings) == 1
        assert numbers_in(opened.frames_at([10.5 / 30, 0.25])) == [9, 7]
        assert len(openings) == 2
        assert numbers_in(opened.frames_at([59.5 / 30])) == [59]  # and seeking works as before
        assert len(openings) == 2
