"""Files opened without decoding a frame have the same metadata and frames as if one had been decoded."""

import struct

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from hypothesis import given
from hypothesis import strategies as st

from sce_video.clips.decoders import DecodeError, open_video
from sce_video.clips.decoders import pyav_decoder as pyav_module
from sce_video.clips.decoders.mp4 import plain_mp4_size
from tests.clips.decoders.numbered import number_image, numbers_in, write_numbered
from tests.clips.decoders.recipes import RECIPES

PLAIN = {"bf": "0", "g": "4", "sc_threshold": "0"}  # as tools/prepare_data.py writes


@pytest.fixture
def plain(tmp_path):
    return write_numbered(tmp_path / "plain.mp4", options=PLAIN).path


@pytest.fixture
def decoded_at_opening(monkeypatch):
    """Number of files whose first frame was decoded when they were opened."""
    paths = []
    original = pyav_module.decoded_first_frame

    def counted(placed):
        paths.append(placed)
        return original(placed)

    monkeypatch.setattr(pyav_module, "decoded_first_frame", counted)
    return paths


def test_nothing_is_decoded_to_open_a_plain_mp4(plain, decoded_at_opening):
    with open_video(plain, decoder="pyav") as opened:
        about = opened.metadata
        assert (about.height, about.width, about.num_frames) == (32, 128, 60)
        assert about.duration_seconds == pytest.approx(2.0)
        assert numbers_in(opened.frames_at([0.01, 1.0, 59.5 / 30])) == [0, 30, 59]
    assert decoded_at_opening == []


NOT_PLAIN = [
    "mp4 b-frames",
    "mp4 open gop",
    "mp4 fragmented",
    "mkv",
    "mp4 cut in a group",
    "vp9 mp4",
    "hevc",
    "av1 mp4",
]


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_the_first_frame_of_other_files_is_decoded(numbered_video, decoded_at_opening, name):
    with open_video(numbered_video(name).path, decoder="pyav"):
        pass
    assert len(decoded_at_opening) == 1


@pytest.mark.parametrize("name", RECIPES)
def test_both_ways_to_open_give_the_same_metadata(numbered_video, monkeypatch, name):
    path = numbered_video(name).path
    with open_video(path, decoder="pyav") as opened:
        short_way = opened.metadata
    monkeypatch.setattr(pyav_module, "plain_mp4_size", lambda path: None)
    with open_video(path, decoder="pyav") as opened:
        assert short_way == opened.metadata


@pytest.mark.parametrize("audio_codec", ["aac", "mp3"])
def test_a_track_of_sound_changes_nothing(tmp_path, decoded_at_opening, audio_codec):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options=PLAIN)
        video.height, video.width, video.pix_fmt = 32, 128, "yuv420p"
        audio = container.add_stream(audio_codec, rate=44100)
        for number in range(60):
            container.mux(video.encode(av.VideoFrame.from_ndarray(number_image(number), format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 44100), np.float32), format="fltp", layout="stereo")
        silence.sample_rate = 44100
        container.mux(audio.encode(silence))
        container.mux(video.encode())
        container.mux(audio.encode())
    with open_video(path, decoder="pyav") as opened:
        assert numbers_in(opened.frames_at([0.01, 1.0])) == [0, 30]
    assert decoded_at_opening == []


def test_an_orientation_in_the_stream_itself_is_found(tmp_path, plain, decoded_at_opening):
    """The rotation is only in messages of the H.264 stream, not in the container."""
    path = tmp_path / "turned.mp4"
    with av.open(str(plain)) as old, av.open(str(path), "w") as new:
        source = old.streams.video[0]
        turn = BitStreamFilterContext("h264_metadata=display_orientation=insert:rotate=90", source)
        stream = new.add_stream_from_template(source)
        for packet in old.demux(source):
            for turned in turn.filter(packet if packet.size else None):
                turned.stream = stream
                new.mux(turned)
    assert plain_mp4_size(str(path))
    with open_video(path, decoder="pyav") as opened:
        assert (opened.metadata.height, opened.metadata.width) == (128, 32)
    assert len(decoded_at_opening) == 1


def test_the_size_in_the_container_is_not_trusted(tmp_path, plain):
    content = bytearray(plain.read_bytes())
    offset = (
        content.index(b"avc1", content.index(b"stsd")) + 4 + 24
    )  # after the fields of a sample entry that precede width and height
    assert struct.unpack_from(">HH", content, offset) == (128, 32)
    struct.pack_into(">HH", content, offset, 64, 16)
    path = tmp_path / "lies.mp4"
    path.write_bytes(bytes(content))
    with open_video(path, decoder="pyav") as opened:
        assert (opened.metadata.height, opened.metadata.width) == (32, 128)
        assert numbers_in(opened.frames_at([1.0])) == [30]


def with_noise_in_first_packet(plain, path, share):
    with av.open(str(plain)) as container:
        first = next(packet for packet in container.demux(video=0))
    content = bytearray(plain.read_bytes())
    begin = first.pos + round(share * first.size)
    content[begin : first.pos + first.size] = b"\xff" * (first.pos + first.size - begin)
    path.write_bytes(bytes(content))


def test_without_any_first_frame_the_file_is_refused(tmp_path, plain):
    path = tmp_path / "broken.mp4"
    with_noise_in_first_packet(plain, path, 0)
    with pytest.raises(DecodeError, match=r"broken.mp4: cannot be decoded"), open_video(path, decoder="pyav"):
        pass


def test_damage_in_the_first_frame_does_not_reach_other_groups_of_pictures(tmp_path, plain):
    path = tmp_path / "broken.mp4"
    with_noise_in_first_packet(plain, path, 0.98)
    with open_video(path, decoder="pyav") as opened:
        assert numbers_in(opened.frames_at([1.0, 30.5 / 30, 59.5 / 30])) == [30, 30, 59]


def test_plain_mp4_by_its_boxes(plain, tmp_path):
    assert plain_mp4_size(str(plain))
    in_front = write_numbered(tmp_path / "front.mp4", options=PLAIN, container_options={"movflags": "faststart"})
    assert plain_mp4_size(str(in_front.path))
    mov = write_numbered(tmp_path / "plain.mov", options=PLAIN)
    assert plain_mp4_size(str(mov.path))


def changed(plain, tmp_path, change):
    content = bytearray(plain.read_bytes())
    change(content)
    path = tmp_path / "changed.mp4"
    path.write_bytes(bytes(content))
    return str(path)


@pytest.mark.parametrize("box", [b"tkhd", b"mvhd"])
@pytest.mark.parametrize("offset", range(36))
def test_a_change_of_any_byte_of_a_matrix_is_not_plain(plain, tmp_path, box, offset):
    def turn(content):
        start = content.index(box) + 4 + (40 if box == b"tkhd" else 36)
        content[start + offset] ^= 1

    assert not plain_mp4_size(changed(plain, tmp_path, turn))


def test_files_of_other_kinds_are_not_plain(tmp_path, numbered_video):
    for name in ("mp4 b-frames", "mp4 fragmented", "mkv", "avi h264", "ts"):
        assert not plain_mp4_size(str(numbered_video(name).path)), name
    assert not plain_mp4_size(str(tmp_path / "missing.mp4"))
    assert not plain_mp4_size(str(tmp_path))


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_without_an_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "any.mp4"
    path.write_bytes(content)
    assert not plain_mp4_size(str(path))
    path.write_bytes(struct.pack(">I4s", len(content) + 8, b"moov") + content)
    assert not plain_mp4_size(str(path))
