"""Outputs, frame by frame, against sequential decoding of the source."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sce_video.engine.prepare.actions import Action, Check, Frames, Transcode
from sce_video.engine.prepare.journal import BROKEN, DONE, SHORT, Planned, Record
from sce_video.engine.prepare.one_video import VideoTask, prepare_video
from sce_video.engine.prepare.target import publish

BIG = Transcode(short_side_pixels=0)


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., tuple[Record, Path]]:
    def run(path: Path, action: Action, name: str = "out") -> tuple[Record, Path]:
        status = path.stat()
        video = Planned(path.name, status.st_size, status.st_mtime_ns, name)
        task = VideoTask(video, path.parent, tmp_path / "partial", action)
        record = prepare_video(task)
        if record.status == DONE and not isinstance(action, Check):
            publish(task.partial, tmp_path / "dst", name)
        shutil.rmtree(task.partial_dir)
        return record, tmp_path / "dst" / name

    return run


def packets(path: Path) -> list[av.Packet]:
    with av.open(f"file:{path}") as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def sequential(path: Path) -> list[av.VideoFrame]:
    with av.open(f"file:{path}") as container:
        return list(container.decode(video=0))


def worst_psnr(output: Path, source: Path) -> float:
    """Of all frames, against the source's frames upright and at the output's size."""
    worst = 99.0
    for ours, theirs in zip(sequential(output), sequential(source), strict=True):
        turns = theirs.rotation // 90
        size = (ours.height, ours.width) if turns % 2 else (ours.width, ours.height)
        expected = np.rot90(theirs.reformat(*size, "rgb24", interpolation="BICUBIC").to_ndarray(), turns)
        error = np.square(ours.to_ndarray(format="rgb24").astype(float) - expected).mean()
        worst = min(worst, 10 * np.log10(255**2 / max(error, 1e-3)))
    return worst


# Name of a file -> how it is written. What makes each hard: B-frames, no stamps, rounded stamps, a late start.
SOURCES: dict[str, dict] = {
    "b.mp4": {"bf": "3", "g": "24"},
    "ntsc.mp4": {"fps": Fraction(30000, 1001)},
    "b.avi": {"codec": "mpeg4", "bf": "2", "g": "24"},
    "b.ts": {"bf": "2", "fps": 25},
    "b.mkv": {"bf": "2", "fps": Fraction(24000, 1001)},
    "late.mkv": {"stamps": range(50, 110), "fps": 25},
    "vp8.webm": {"codec": "libvpx", "deadline": "realtime", "cpu-used": "8"},
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_constant_rate_keeps_every_frame(write_video, shown_numbers, prepare, tmp_path, name) -> None:
    recipe = {"fps": 30, "stamps": range(60), **SOURCES[name]}
    source = write_video(tmp_path / name, recipe.pop("stamps"), **recipe)
    record, output = prepare(source, BIG)
    expected = shown_numbers(source)
    assert len(expected) >= 58  # AVI with B-frames loses its last one or two; decoding decides
    assert shown_numbers(output) == expected
    assert (record.status, record.num_frames) == (DONE, len(expected))
    assert record.fps == pytest.approx(float(recipe["fps"]))
    assert record.duration_seconds == pytest.approx(len(expected) / float(recipe["fps"]))


def test_a_variable_rate_shows_what_was_on_screen(write_video, shown_numbers, prepare, tmp_path) -> None:
    stamps = [0, 1, 2, 6, 7, 8, 9, 15, 16, 17, 18, 19]
    source = write_video(tmp_path / "vfr.mp4", stamps, bf="2")
    record, output = prepare(source, BIG)
    on_screen = [max(i for i, stamp in enumerate(stamps) if stamp <= tick) for tick in range(20)]
    assert shown_numbers(output) == on_screen == [0, 1, 2, 2, 2, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 7, 8, 9, 10, 11]
    assert record.fps == 30
    steps = np.diff([packet.pts for packet in packets(output)])
    assert (steps == steps[0]).all()


def test_max_fps_drops_frames_and_keeps_the_time(write_video, shown_numbers, prepare, tmp_path) -> None:
    source = write_video(tmp_path / "a.mp4", range(60))
    record, output = prepare(source, Transcode(max_fps=10, short_side_pixels=0))
    assert shown_numbers(output) == list(range(0, 60, 3))
    assert (record.fps, record.duration_seconds, record.num_frames) == (10, 2.0, 20)
    record, _ = prepare(source, Transcode(max_fps=100))
    assert (record.fps, record.num_frames) == (30, 60)  # never a faster one


@pytest.mark.parametrize("gop", [1, 4, 7])
def test_key_frames_are_at_the_gop_distance(write_video, prepare, tmp_path, gop) -> None:
    source = write_video(tmp_path / "a.mp4", range(40), g="3", bf="2", sc_threshold="0")
    _, output = prepare(source, Transcode(gop_frames=gop, short_side_pixels=0))
    found = packets(output)
    assert [i for i, packet in enumerate(found) if packet.is_keyframe] == list(range(0, 40, gop))
    assert all(packet.pts == packet.dts for packet in found)  # no B-frames
    assert found[0].pts == 0


def test_a_cut_adds_no_key_frame(prepare, tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for index in range(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise[index // 45], format="rgb24")))
        container.mux(stream.encode())
    _, output = prepare(tmp_path / "a.mp4", Transcode(gop_frames=50))
    assert [i for i, packet in enumerate(packets(output)) if packet.is_keyframe] == [0, 50]


def test_the_file_has_its_index_first_and_holds_nothing_else(write_video, prepare, tmp_path) -> None:
    record, output = prepare(write_video(tmp_path / "a.mp4", range(20)), Transcode())
    content = output.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(output)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.frames) == ("h264", "yuv420p", 20)
    assert (record.bytes, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("action", [BIG, Frames(short_side_pixels=0)])
def test_rotation_is_applied_and_its_flag_removed(write_video, read_number, prepare, tmp_path, turns, action) -> None:
    source = write_video(tmp_path / "a.mp4", range(5), quarter_turns=turns)
    turn_by_flag(source, turns)
    assert sequential(source)[0].rotation % 360 == -90 * turns % 360
    record, output = prepare(source, action)
    assert (record.height, record.width) == (32, 128)
    if isinstance(action, Frames):
        assert read_number(np.asarray(Image.open(output / "000003.jpg"))) == 3
    else:
        frames = sequential(output)
        assert [read_number(frame.to_ndarray(format="rgb24")) for frame in frames] == [0, 1, 2, 3, 4]
        assert frames[0].rotation == 0


def turn_by_flag(path: Path, quarter_turns: int) -> None:
    """Write the matrix that turns pictures clockwise into the track's header."""
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns]
    matrix = b"".join(
        (value % 2**32).to_bytes(4, "big")
        for value in (cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    )
    content = bytearray(path.read_bytes())
    begin = content.index(b"tkhd") + 4 + 4 + 20 + 16  # version 0: times and ids; then layer, volume and the like
    content[begin : begin + 36] = matrix
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("stored", "short_side", "expected"),
    [
        ((240, 320), 256, (240, 320)),  # never enlarged
        ((240, 320), 0, (240, 320)),
        ((240, 320), 60, (60, 80)),
        ((320, 240), 60, (80, 60)),
        ((122, 162), 61, (60, 80)),  # 61 is odd; 30.5 and 40.5 pairs
        ((720, 1280), 256, (256, 456)),  # 455.1
    ],
)
def test_sizes(prepare, tmp_path, stored, short_side, expected) -> None:
    source = tmp_path / "a.mp4"
    gray(source, *stored)
    record, output = prepare(source, Transcode(short_side_pixels=short_side))
    assert (record.height, record.width) == expected
    assert (sequential(output)[0].height, sequential(output)[0].width) == expected


def gray(path: Path, height: int, width: int, *, codec: str = "libx264", pixels: str = "yuv420p") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=5)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        image = np.full((height, width, 3), 100, dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_odd_sizes_become_even_in_video_and_stay_in_frames(prepare, tmp_path) -> None:
    gray(tmp_path / "a.mp4", 121, 161, pixels="yuv444p")
    record, _ = prepare(tmp_path / "a.mp4", Transcode())
    assert (record.height, record.width) == (120, 160)
    record, output = prepare(tmp_path / "a.mp4", Frames(), "frames")
    assert (record.height, record.width) == (121, 161)
    assert np.abs(np.asarray(Image.open(output / "000000.jpg")).astype(int) - 100).max() <= 3


def test_frames_and_their_description(write_video, read_number, prepare, tmp_path) -> None:
    stamps = [0, 1, 2, 5, 6]
    record, output = prepare(write_video(tmp_path / "a.mp4", stamps), Frames(quality=80))
    files = sorted(path.name for path in output.iterdir())
    assert files == [*(f"{i:06d}.jpg" for i in range(7)), "frames.json"]
    about = json.loads((output / "frames.json").read_text())
    assert about == {"fps": 30.0, "num_frames": 7, "height": 32, "width": 128}
    images = [Image.open(output / name) for name in files[:-1]]
    assert [read_number(np.asarray(image)) for image in images] == [0, 1, 2, 2, 2, 3, 4]
    contents = [(output / name).read_bytes() for name in files[:-1]]
    assert record.bytes == sum(map(len, contents))
    assert record.sha256 == hashlib.sha256(b"".join(contents)).hexdigest()
    again, _ = prepare(tmp_path / "a.mp4", Frames(quality=80))  # over an older one
    assert again == record
    worse, _ = prepare(tmp_path / "a.mp4", Frames(quality=10))
    assert worse.bytes < record.bytes


def test_a_check_describes_the_source(write_video, prepare, tmp_path) -> None:
    source = write_video(tmp_path / "a.mp4", [0, 1, 2, 3, 8, 9])
    record, output = prepare(source, Check())
    assert not output.exists()
    assert (record.height, record.width, record.num_frames) == (32, 128, 6)
    assert record.duration_seconds == pytest.approx(10 / 30)
    assert record.fps == pytest.approx(6 / (10 / 30))
    assert record.sha256 == record.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert record.bytes == source.stat().st_size


@pytest.mark.parametrize("action", [Check(min_frames=6), Transcode(min_frames=6), Frames(min_frames=6)])
def test_a_short_video_has_no_output(write_video, prepare, tmp_path, action) -> None:
    record, output = prepare(write_video(tmp_path / "a.mp4", range(5)), action)
    assert (record.status, record.reason, record.num_frames) == (SHORT, "5 frames", 5)
    assert not output.exists()
    record, _ = prepare(write_video(tmp_path / "b.mp4", range(6)), action)
    assert record.status == DONE


def damaged(content: bytes) -> bytes:
    middle = (content.index(b"mdat") + content.index(b"moov")) // 2
    return content[:middle] + b"\xff" * 400 + content[middle + 400 :]


@pytest.mark.parametrize("action", [Check(), Transcode(), Frames()])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damaged, "cannot be decoded"),
        (lambda content: content[: len(content) // 2], "incomplete: no index (moov)"),
        (lambda content: b"", "empty file"),
        (lambda content: b"<html>404</html>" * 99, "not a video: text"),
    ],
)
def test_broken_videos_have_a_reason_and_no_output(write_video, prepare, tmp_path, action, damage, reason) -> None:
    source = write_video(tmp_path / "a.mp4", range(100))
    source.write_bytes(damage(source.read_bytes()))
    record, output = prepare(source, action)
    assert record.status == BROKEN
    assert record.reason.startswith(reason)
    assert not output.exists()


def test_time_stamps_that_jump_by_a_day_are_broken(write_video, prepare, tmp_path) -> None:
    source = write_video(tmp_path / "a.mkv", [0, 1, 2, 30 * 86400, 30 * 86400 + 1])
    record, _ = prepare(source, BIG)
    assert (record.status, record.reason) == (BROKEN, "its time stamps jump by 86400 s")


def test_colours_of_awkward_real_files(shared_data, prepare) -> None:
    """Rotations, BT.709, full range, 10 bit HDR, RGB: as the source, up to compression."""
    names = ["17_video_90.mov", "19_video_270.mov", "23_trim_optimization_failure.mp4", "40_dolbyVision-hdr.MOV"]
    for name in [*names, "37_sample_with_it35_track.mp4"]:
        record, output = prepare(shared_data / "odd" / name, Transcode(crf=12))
        assert record.status == DONE
        assert worst_psnr(output, shared_data / "odd" / name) > 33, name
    _, output = prepare(shared_data / "odd" / "51_vp9.mp4", Transcode(crf=12))
    ours, theirs = (sequential(path)[0] for path in (output, shared_data / "odd" / "51_vp9.mp4"))
    assert theirs.format.name == "gbrp"  # chroma at half the size blurs its test pattern: compare the means
    means = [frame.to_ndarray(format="rgb24").mean(axis=(0, 1)) for frame in (ours, theirs)]
    assert np.abs(means[0] - means[1]).max() < 1.5


def test_real_originals_frame_by_frame(shared_data, prepare) -> None:
    originals = shared_data / "originals"
    for path in [*sorted((originals / "ucf101").glob("*/*.avi"))[::6], *sorted((originals / "k400").glob("*/dAeU*"))]:
        record, output = prepare(path, Transcode(short_side_pixels=64))
        assert worst_psnr(output, path) > 25, path
        assert record.num_frames == len(sequential(path))


def test_a_fifo_is_broken_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    record = prepare_video(VideoTask(Planned("a.mp4", 1, 1, "a.mp4"), tmp_path, tmp_path / "partial", Check()))
    assert (record.status, record.reason) == (BROKEN, "cannot be read (it is a FIFO, not a file)")
