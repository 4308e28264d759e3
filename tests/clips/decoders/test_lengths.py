"""The length of a video is that of its frames, whatever else the file or its header has."""

import random
import re
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from sce_video.clips.decoders import DECODERS, DecodeError, open_video
from sce_video.clips.decoders.container import is_truncated_matroska
from sce_video.clips.frames import frame_indices, frame_times
from sce_video.clips.samplers import one_random_span
from sce_video.engine.prepare.read_video import SequentialVideo
from tests.clips.decoders.numbered import number_image, numbers_in, write_video
from tests.clips.decoders.test_real_files import _manifest, _sequential

ALL = pytest.mark.parametrize("decoder", list(DECODERS), indirect=True)
FPS = Fraction(25)


def write_with_sound(path, *, codec, audio_codec, num_frames=50, audio_seconds=6, rate=48000):
    """Frames that show their numbers, and longer sound, muxed in order."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=FPS, options={"g": "12"})
        video.height, video.width, video.pix_fmt, video.bit_rate = 32, 128, "yuv420p", 2_000_000
        audio = container.add_stream(audio_codec, rate=rate, layout="mono")
        audio.bit_rate = 64_000
        packets = []
        for number in range(num_frames):
            packets += video.encode(av.VideoFrame.from_ndarray(number_image(number), format="rgb24"))
        for begin in range(0, audio_seconds * rate, 1024):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = rate, begin
            packets += audio.encode(silence)
        packets += [*video.encode(), *audio.encode()]
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"DURATION", b"XURATION"))  # the length of each stream alone


@ALL
@pytest.mark.parametrize(
    ("file", "codec", "audio_codec"),
    [
        ("long.mkv", "libx264", "aac"),
        ("mpeg4.mkv", "mpeg4", "aac"),
        ("long.webm", "libvpx", "libopus"),
        ("long.flv", "flv", "aac"),
        ("h264.flv", "libx264", "aac"),
        ("long.wmv", "wmv2", "wmav2"),
        ("long.mp4", "libx264", "aac"),
        ("long.avi", "mpeg4", "mp2"),
        ("long.ts", "libx264", "aac"),
        ("long.mpg", "mpeg2video", "mp2"),
    ],
)
def test_sound_that_is_longer_than_the_picture(tmp_path, decoder, file, codec, audio_codec):
    path = tmp_path / file
    write_with_sound(path, codec=codec, audio_codec=audio_codec)
    with open_video(path, decoder=decoder) as opened:
        assert opened.metadata.num_frames == pytest.approx(50, abs=1)
        assert opened.metadata.duration_seconds == pytest.approx(2.0, abs=0.05)
        assert numbers_in(opened.frames_at([(i + 0.5) / 25 for i in range(50)])) == list(range(50))


def test_a_truncated_matroska_file_is_recognised(tmp_path, numbered_video):
    """By the size of its segment, which one that is written live does not have, nor other files."""
    whole = numbered_video("mkv").path.read_bytes()
    path = tmp_path / "a.mkv"
    for content, is_cut in ((whole, False), (whole[:-1], True), (whole + b"\0" * 9, False), (whole[:60], True)):
        path.write_bytes(content)
        assert is_truncated_matroska(str(path)) == is_cut
    live = numbered_video("mkv without index").path.read_bytes()
    for content in (live, live[:-100], whole[:4], whole[:20], b"", b"\x1a\x45\xdf\xa3" + b"\0" * 50):
        path.write_bytes(content)
        assert not is_truncated_matroska(str(path))
    assert not is_truncated_matroska(str(numbered_video("mp4").path))


def boxes_of(content):
    offset = 0
    while offset < len(content):
        size = int.from_bytes(content[offset : offset + 4], "big")
        yield content[offset + 4 : offset + 8], content[offset : offset + size]
        offset += size


@ALL
def test_fragments_that_begin_late(tmp_path, decoder):
    """As recorded from the middle of a live stream: the first two seconds are missing, times are those of the whole."""
    whole = tmp_path / "whole.mp4"
    options = {"g": "25", "bf": "0", "sc_threshold": "0"}
    fragmented = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    write_video(whole, map(number_image, range(150)), options=options, fps=FPS, container_options=fragmented)
    fragments = 0
    late = b""
    for kind, box in boxes_of(whole.read_bytes()):
        fragments += kind == b"moof"
        if kind not in (b"moof", b"mdat", b"mfra") or fragments > 2:
            late += box if kind != b"mfra" else b""
    assert fragments == 6
    path = tmp_path / "late.mp4"
    path.write_bytes(late)
    with open_video(path, decoder=decoder) as opened:
        assert opened.metadata.num_frames == pytest.approx(100, abs=1)
        assert opened.metadata.duration_seconds == pytest.approx(4.0, abs=0.05)
        assert numbers_in(opened.frames_at([(i + 0.5) / 25 for i in range(100)])) == list(range(50, 150))


def joined(tmp_path, suffix, *parts, **how):
    """Files of those numbers, one after the other, as `cat` joins them; each begins at a tick of its own."""
    path = tmp_path / f"joined{suffix}"
    content = b""
    for number, (numbers, begin) in enumerate(parts):
        part = tmp_path / f"{number}{suffix}"
        ticks = range(begin, begin + len(numbers))
        write_video(part, map(number_image, numbers), ticks=ticks, fps=FPS, **how)
        content += part.read_bytes()
    path.write_bytes(content)
    return path


_B = {"x264-params": "scenecut=0:b-adapt=0:bframes=3:keyint=24:min-keyint=24"}
_MPEG2 = {"bf": "2", "g": "12", "sc_threshold": "1000000000"}


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (".ts", {"options": _B}),
        (".ts", {"options": _MPEG2, "codec": "mpeg2video"}),
        (".mpg", {"options": _MPEG2, "codec": "mpeg2video"}),
    ],
    ids=["h264", "mpeg2", "program"],
)
@pytest.mark.parametrize("begins", [(0, 0, 0), (0, 100_000, 0), (500, 0, 90_000)], ids=str)
def test_joined_streams_show_every_frame_in_order(tmp_path, suffix, how, begins):
    """Whether the clock restarts or jumps by an hour."""
    parts = [range(0, 60), range(60, 110), range(110, 150)]
    path = joined(tmp_path, suffix, *zip(parts, begins, strict=True), **how)
    with open_video(path, decoder="pyav") as opened:
        about = opened.metadata
        assert (about.num_frames, about.fps) == (150, pytest.approx(25.0, abs=0.01))
        assert numbers_in(opened.frames_at([(i + 0.5) / 25 for i in range(150)])) == list(range(150))
        assert numbers_in(opened.frames_at([5.02, 1.02, 3.02])) == [125, 25, 75]


def other_numbers(begin):
    return {"mpegts_start_pid": hex(0x200 + begin), "mpegts_pmt_start_pid": hex(0x1100 + begin)}


@pytest.mark.parametrize("numbers", [(60, 50), (20, 90)], ids=str)
def test_a_concatenated_stream_that_continues_with_another_id_is_refused(tmp_path, numbers):
    """The library reads only one of the streams: half of the video must not be dropped silently."""
    path = tmp_path / "joined.ts"
    content = b""
    for part, count in enumerate(numbers):
        write_video(
            path, map(number_image, range(count)), options=_B, fps=FPS, container_options=other_numbers(16 * part)
        )
        content += path.read_bytes()
    path.write_bytes(content)
    for read in (lambda: open_video(path, decoder="pyav"), lambda: SequentialVideo(path)):
        with pytest.raises(
            DecodeError, match=f"^{path}: concatenated from .* pictures can be read, .* would be lost"
        ) as caught:
            read()
        assert sorted(numbers) == sorted(int(n) for n in re.findall(r"([0-9]+) (?:pictures|would)", str(caught.value)))


def test_parallel_streams_are_alternatives(tmp_path):
    path = tmp_path / "both.ts"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=FPS, options=_B) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 32, 128, "yuv420p"
        for number in range(50):
            for stream in streams:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(number_image(number), format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    with open_video(path, decoder="pyav") as opened:
        assert numbers_in(opened.frames_at([(i + 0.5) / 25 for i in range(50)])) == list(range(50))


def test_a_still_in_a_stream_stays(tmp_path):
    """Nine seconds of one frame are not a new clock."""
    ticks = [*range(20), *range(245, 265)]
    path = tmp_path / "still.ts"
    write_video(path, map(number_image, range(40)), options=_B, fps=FPS, ticks=ticks)
    with open_video(path, decoder="pyav") as opened:
        assert opened.metadata.duration_seconds == pytest.approx(10.6, abs=0.5)
        assert numbers_in(opened.frames_at([0.78, 5.0, 9.7, 9.82, 10.58])) == [19, 19, 19, 20, 39]


def random_clip_times(about, num_frames, generator):
    seconds = min(max(2.0 * num_frames / about.fps, 0.2), about.duration_seconds)
    span = one_random_span(about.duration_seconds, seconds, generator=generator)
    indices = frame_indices(span, fps=about.fps, num_video_frames=about.num_frames, num_frames=num_frames)
    return frame_times(indices, fps=about.fps)


def test_random_clips_have_as_many_different_frames_as_the_file_has_there(shared_data):
    """Of every odd file that can be read and is not heavy, compared with decoding from its start."""
    num_files = 0
    for row in _manifest(shared_data):
        if row["decoded"] in ("", "0", "1") or row["pyav_error"] or int(row["w"]) * int(row["h"]) > 704 * 576:
            continue
        path = shared_data / "odd" / row["file"]
        sequence = _sequential(path, max_frames=1000)
        images = [frame.to_ndarray(format="rgb24").tobytes() for frame in sequence.frames]
        generator = torch.Generator().manual_seed(0)
        with open_video(path, decoder="pyav") as opened:
            about = opened.metadata
            clips = [random_clip_times(about, 8, generator) for _ in range(6)]
            frames = opened.frames_at([time for times in clips for time in times])
        longest = max(b - a for a, b in zip(sequence.starts, [*sequence.starts[1:], sequence.starts[-1]], strict=True))
        assert about.duration_seconds <= sequence.starts[-1] + 2 * longest + 0.05, path.name
        for times, clip in zip(clips, frames.split(8), strict=True):
            shown = {images[max(i for i, s in enumerate(sequence.starts) if s <= time)] for time in times}
            assert len({frame.numpy().tobytes() for frame in clip}) == len(shown), path.name
        num_files += 1
    assert num_files >= 20


@pytest.mark.parametrize(("file", "num_frames"), [("audio_long_notags.mkv", 50), ("frag_joined_late.mp4", 100)])
def test_cases(shared_data, file, num_frames):
    path = shared_data.parent / "cases" / file
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with open_video(path, decoder="pyav") as opened:
        assert opened.metadata.num_frames == num_frames
        draw = random.Random(0)
        for _ in range(5):
            begin = draw.randrange(num_frames - 16)
            frames = opened.frames_at([(begin + i + 0.5) / 25 for i in range(16)])
            assert len(torch.unique(frames, dim=0)) == 16


def test_an_avi_whose_header_claims_more_frames_than_it_has(tmp_path, numbered_video):
    """As a writer that was interrupted after the header leaves it; a gap at the end is not such a claim."""
    whole = bytearray(numbered_video("avi b-frames").path.read_bytes())
    with open_video(numbered_video("avi b-frames").path, decoder="pyav") as opened:
        num_frames, duration = opened.metadata.num_frames, opened.metadata.duration_seconds
    for box, offset in ((b"avih", 24), (b"strh", 40)):
        begin = whole.index(box) + offset
        whole[begin : begin + 4] = (5000).to_bytes(4, "little")
    path = tmp_path / "long.avi"
    path.write_bytes(whole)
    with open_video(path, decoder="pyav") as opened:
        assert opened.metadata.num_frames == pytest.approx(num_frames, abs=1)
        assert opened.metadata.duration_seconds == pytest.approx(duration, abs=0.1)
