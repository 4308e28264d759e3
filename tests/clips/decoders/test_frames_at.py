"""Which frame is on screen when: videos whose frames carry their numbers, so nobody's decoder is the judge."""

import importlib.util
import math
import random

import av
import numpy as np
import pytest
import torch

from sce_video.clips.decoders import open_video
from sce_video.clips.decoders import pyav_decoder as pyav_module

INDEXED = ["mp4", "mp4 b-frames", "mp4 open gop", "mp4 variable rate", "mkv late start", "mp4 ntsc", "webm vp8"]
OTHERS = ["avi b-frames", "ts"]

needs_decord = pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord is not installed")
# decord is wrong on AVI with B-frames, on TS and on open GOPs; its docstring says so.
CASES = [pytest.param(name, "pyav", id=f"{name}-pyav") for name in INDEXED + OTHERS] + [
    pytest.param(name, "decord", id=f"{name}-decord", marks=needs_decord) for name in INDEXED if name != "mp4 open gop"
]
BOTH = pytest.mark.parametrize("decoder", ["pyav", pytest.param("decord", marks=needs_decord)])


def _times_inside_frames(video, num_times):
    """Random times, at least a fifth of a frame away from every change of frame (Matroska rounds to 1 ms)."""
    draw = random.Random(0)
    steps = [draw.randrange(round(video.starts[-1] / video.frame_seconds)) for _ in range(num_times)]
    return [(step + draw.uniform(0.2, 0.8)) * video.frame_seconds for step in steps]


@pytest.mark.parametrize(("name", "decoder"), CASES)
def test_the_frame_on_screen(numbered_video, read_numbers, name, decoder):
    video = numbered_video(name)
    times = _times_inside_frames(video, 40)
    expected = [video.number_at(time) for time in times]
    with open_video(video.path, decoder=decoder) as opened:
        together = opened.frames_at(times)
        assert read_numbers(together) == expected
        alone = [read_numbers(opened.frames_at([time]))[0] for time in times]  # each with its own seek
    assert alone == expected
    assert together.dtype == torch.uint8
    assert together.shape == (40, 3, 32, 128)


@pytest.mark.parametrize(("name", "decoder"), CASES)
def test_every_frame_is_reached(numbered_video, read_numbers, name, decoder):
    video = numbered_video(name)
    with open_video(video.path, decoder=decoder) as opened:
        frames = opened.frames_at([start + video.frame_seconds / 2 for start in video.starts])
    assert read_numbers(frames) == list(range(150))


@pytest.mark.parametrize(("name", "decoder"), CASES)
def test_the_first_instant_of_a_frame_shows_it(numbered_video, read_numbers, name, decoder):
    video = numbered_video(name)
    if video.path.suffix in (".mkv", ".webm") and video.frame_seconds != 0.04:
        pytest.skip("1 ms stamps cannot hold 1/30 s")
    picks = [0, 1, 24, 77, 149]
    with open_video(video.path, decoder=decoder) as opened:
        assert read_numbers(opened.frames_at([video.starts[i] for i in picks])) == picks


@BOTH
def test_times_may_be_unsorted_and_repeated(numbered_video, read_numbers, decoder):
    video = numbered_video("mp4 b-frames")
    numbers = [90, 3, 3, 149, 0, 90, 25, 24, 23, 3]
    with open_video(video.path, decoder=decoder) as opened:
        assert read_numbers(opened.frames_at([(n + 0.5) / 30 for n in numbers])) == numbers


@BOTH
def test_times_outside_are_clamped(numbered_video, read_numbers, decoder):
    with open_video(numbered_video("mp4 b-frames").path, decoder=decoder) as opened:
        times = [-1.0, -math.inf, 5.0, 1e6, math.inf]
        assert read_numbers(opened.frames_at(times)) == [0, 0, 149, 149, 149]
        assert read_numbers(opened.frames_at([1e6])) == [149]


@pytest.mark.parametrize(("name", "decoder"), CASES)
def test_metadata(numbered_video, name, decoder):
    video = numbered_video(name)
    with open_video(video.path, decoder=decoder) as opened:
        metadata = opened.metadata
    assert (metadata.height, metadata.width) == (32, 128)
    assert abs(metadata.num_frames - 150) <= 1
    assert metadata.duration_seconds == pytest.approx(video.starts[-1] + video.frame_seconds, abs=0.05)
    assert metadata.fps == pytest.approx(150 / metadata.duration_seconds, rel=0.01)


@BOTH
def test_times_must_be_numbers(numbered_video, decoder):
    with open_video(numbered_video("mp4").path, decoder=decoder) as opened:
        with pytest.raises(ValueError, match="times_seconds is empty"):
            opened.frames_at([])
        with pytest.raises(ValueError, match="every time must be a number"):
            opened.frames_at([0.0, math.nan])


def test_a_bare_stream_that_changes_size(tmp_path):
    """No container, so no time stamps: 25 frames a second; the first frame's size holds for all."""
    parts = []
    for width, height in ((64, 48), (128, 32)):
        part = tmp_path / f"{width}.h264"
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            image = np.full((height, width, 3), width, dtype=np.uint8)
            for _ in range(10):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        parts.append(part.read_bytes())
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(parts))
    with open_video(path, decoder="pyav") as opened:
        assert (opened.metadata.num_frames, opened.metadata.fps) == (20, 25.0)
        frames = opened.frames_at([0.38, 0.42, 0.0])
    assert frames.shape == (3, 3, 48, 64)
    assert frames.float().mean(dim=(1, 2, 3)).tolist() == pytest.approx([64, 128, 64], abs=3)


@pytest.fixture
def openings(monkeypatch):
    """Grows by one path with each opening of a file by PyAV: a second one is a restart from the first frame."""
    paths = []
    original = pyav_module.open_stream

    def counted(path):
        paths.append(path)
        return original(path)

    monkeypatch.setattr(pyav_module, "open_stream", counted)
    return paths


@pytest.mark.parametrize("name", ["mp4", "mp4 b-frames", "mp4 variable rate", "mkv late start", "webm vp8"])
def test_pyav_seeks_where_that_is_safe(numbered_video, openings, name):
    with open_video(numbered_video(name).path, decoder="pyav") as opened:
        for seconds in (4.0, 1.0, 0.0):
            opened.frames_at([seconds])
    assert len(openings) == 1


@pytest.mark.parametrize("name", OTHERS)
def test_pyav_decodes_from_the_start_where_it_is_not(numbered_video, openings, name):
    with open_video(numbered_video(name).path, decoder="pyav") as opened:
        for seconds in (4.0, 1.0):
            opened.frames_at([seconds])
    assert len(openings) == 2  # the first call goes on from the first frame, decoded when the file was opened
