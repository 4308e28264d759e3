"""Real videos: everything odd that was found, and untouched originals against plain sequential decoding."""

import csv
import importlib.util
import random
import time

import av
import numpy as np
import pytest
import torch

from sce_video.clips.decoders import DecodeError, open_video

needs_decord = pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord is not installed")


def _manifest(shared_data):
    with open(shared_data / "odd" / "MANIFEST.tsv", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _start_middle_end(path, decoder):
    with open_video(path, decoder=decoder) as opened:
        metadata = opened.metadata
        end = metadata.duration_seconds
        frames = opened.frames_at([0.0, end / 2, end])
    assert frames.dtype == torch.uint8
    assert frames.shape == (3, 3, metadata.height, metadata.width)
    assert 0 < metadata.fps <= 240
    assert metadata.num_frames == pytest.approx(metadata.duration_seconds * metadata.fps, abs=1)
    return metadata


@pytest.mark.timeout(120)
def test_pyav_reads_whatever_can_be_read(shared_data):
    num_read = 0
    for row in _manifest(shared_data):
        path = shared_data / "odd" / row["file"]
        began = time.monotonic()
        if row["pyav_error"] or row["decoded"] in ("", "0"):
            with pytest.raises(DecodeError, match=row["file"]), open_video(path, decoder="pyav") as opened:
                fps, num_frames = opened.metadata.fps, opened.metadata.num_frames
                opened.frames_at([(i + 0.5) / fps for i in range(num_frames)])  # some of it may well be sound
        else:
            metadata = _start_middle_end(path, "pyav")
            size = (int(row["h"]), int(row["w"]))
            assert (metadata.height, metadata.width) == (size if row["rot"] in ("0", "180", "-180") else size[::-1])
            assert abs(metadata.num_frames - int(row["decoded"])) <= 2, row["file"]
            num_read += 1
        assert time.monotonic() - began < 20, f"{row['file']} took too long"
    assert num_read >= 40


@needs_decord
@pytest.mark.timeout(120)
def test_decord_reads_or_refuses(shared_data):
    num_read, refusals = 0, {}
    for row in _manifest(shared_data):
        began = time.monotonic()
        try:
            _start_middle_end(shared_data / "odd" / row["file"], "decord")
            num_read += 1
        except DecodeError as error:
            refusals[row["file"]] = str(error)
        assert time.monotonic() - began < 20, f"{row['file']} took too long"
    assert num_read >= 30
    assert all(file in message and "\n" not in message for file, message in refusals.items())


@needs_decord
def test_both_turn_a_rotated_video_upright(shared_data):
    rotated = ["15_video_rotation_90.mp4", "17_video_90.mov", "18_video_180.mov", "19_video_270.mov", "22_video_1.mp4"]
    for name in rotated:
        path = shared_data / "odd" / name
        with open_video(path, decoder="pyav") as ours, open_video(path, decoder="decord") as theirs:
            difference = (ours.frames_at([0.0]).int() - theirs.frames_at([0.0]).int()).abs()
            assert difference.max() <= 2, name  # FFmpeg versions round colours differently


def test_damage_late_in_a_video_leaves_its_beginning(shared_data):
    with open_video(shared_data / "odd" / "00_corrupted.mp4", decoder="pyav") as opened:
        assert opened.frames_at([0.0, 1.0]).shape == (2, 3, 720, 1280)
        with pytest.raises(DecodeError, match="00_corrupted"):
            opened.frames_at([4.0])


def _sequential(path):
    """Seconds at which each frame begins, and a function from a frame's index to its image."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        rate = container.streams.video[0].average_rate
    if path.suffix == ".avi":
        return [float(i / rate) for i in range(len(frames))], frames
    return [float((frame.pts - frames[0].pts) * frame.time_base) for frame in frames], frames


def test_pyav_equals_sequential_decoding(shared_data):
    originals = shared_data / "originals"
    paths = sorted((originals / "ucf101").glob("*/*.avi"))[::5] + sorted((originals / "k400").glob("*/dAeU*.mp4"))
    paths += sorted((shared_data / "jhmdb" / "videos").glob("*/*.mp4"))[::200]
    assert len(paths) >= 8
    for path in paths:
        starts, frames = _sequential(path)
        picks = random.Random(0).sample(range(len(frames)), 8)
        ends = [*starts[1:], starts[-1] + 0.02]
        with open_video(path, decoder="pyav") as opened:
            decoded = opened.frames_at([(starts[i] + ends[i]) / 2 for i in picks])
        expected = np.stack([frames[i].to_ndarray(format="rgb24") for i in picks])
        assert np.array_equal(decoded.permute(0, 2, 3, 1).numpy(), expected), path
