"""Units of H.264, compared with packets parsed by hand, and with libavcodec on real streams."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.clips.decoders.h264 import are_unreferenced, length_bytes, may_change_geometry, picture_size
from tests.clips.decoders.numbered import write_video


def unit(reference_mark, kind, payload=b"\x88\x00", *, width=4):
    content = bytes([reference_mark << 5 | kind]) + payload
    return len(content).to_bytes(width, "big") + content


def sei(*messages):
    """Messages of (kind, size), each below 255 bytes."""
    return unit(0, 6, b"".join(bytes([kind, size]) + b"x" * size for kind, size in messages) + b"\x80")


def test_bytes_of_a_length_come_from_the_avcc_record():
    assert [length_bytes(bytes([1, 100, 0, 31, 0xFC | size, 0xE1])) for size in (0, 1, 3)] == [1, 2, 4]
    assert length_bytes(None) == 0
    assert length_bytes(b"\x00\x00\x00\x01\x67") == 0  # units after start codes, without lengths


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("kind", [1, 5])
def test_a_picture_is_unreferenced_if_all_its_slices_are(width, kind):
    def packet(*marks):
        units = [unit(0, 9, width=width), *(unit(mark, kind, width=width) for mark in marks)]
        return b"".join(units)

    assert are_unreferenced([packet(0)], length_bytes=width) == [True]
    assert are_unreferenced([packet(0, 0, 0)], length_bytes=width) == [True]
    for marks in [(1,), (2,), (3,), (0, 1), (3, 0)]:
        assert are_unreferenced([packet(*marks)], length_bytes=width) == [False]


def test_a_packet_without_a_slice_is_kept():
    assert are_unreferenced([unit(0, 9) + sei((5, 20))], length_bytes=4) == [False]
    assert are_unreferenced([b""], length_bytes=4) == [False]


def test_without_lengths_nothing_is_known():
    assert are_unreferenced([unit(0, 1)], length_bytes=0) == [False]
    assert may_change_geometry(unit(3, 5), length_bytes=0)


def test_only_the_encoders_name_cannot_change_the_orientation():
    picture = unit(3, 5)
    assert not may_change_geometry(picture, length_bytes=4)
    assert not may_change_geometry(sei((5, 30)) + picture, length_bytes=4)
    assert may_change_geometry(sei((47, 5)) + picture, length_bytes=4)  # display orientation
    assert may_change_geometry(sei((5, 30), (47, 5)) + picture, length_bytes=4)
    assert may_change_geometry(sei((6, 3)) + picture, length_bytes=4)  # recovery point: anything else may follow it
    assert may_change_geometry(unit(3, 7) + picture, length_bytes=4)  # another header, of another size perhaps


def test_a_long_name():
    """Sizes from 255 bytes on are written as 255 and the rest."""
    for size in (254, 255, 256, 510, 700):
        head = b"\x05" + b"\xff" * (size // 255) + bytes([size % 255])
        name = unit(0, 6, head + b"x" * size + b"\x80")
        assert not may_change_geometry(name + unit(3, 5), length_bytes=4)


@given(st.binary(max_size=100), st.sampled_from([0, 1, 2, 4]))
def test_any_bytes_are_parsed_without_an_error(packet, width):
    assert are_unreferenced([packet], length_bytes=width) in ([True], [False])
    assert may_change_geometry(packet, length_bytes=width) in (True, False)


@pytest.mark.parametrize("name", ["mp4 b-frames", "mp4 b-pyramid", "mp4 gop 4", "mkv", "mp4 interlaced"])
def test_unreferenced_frames_are_those_that_libavcodec_skips(numbered_video, name):
    """libavcodec skips the same frames if set to skip unreferenced ones."""
    with av.open(str(numbered_video(name).path)) as container:
        stream = container.streams.video[0]
        width = length_bytes(stream.codec_context.extradata)
        packets = [packet for packet in container.demux(stream) if packet.size]
        left_out = are_unreferenced(map(memoryview, packets), length_bytes=width)
        ours = {packet.pts for packet, is_left_out in zip(packets, left_out, strict=True) if not is_left_out}
        stream.codec_context.skip_frame = "NONREF"
        theirs = {frame.pts for packet in [*packets, None] for frame in stream.decode(packet)}
    assert ours == theirs
    assert (len(ours) < len(packets)) == (name != "mp4 gop 4")


def record_of(path, height, width, *, pixel_format="yuv420p", **options):
    """Record of a video of this size by x264, with the size that libavcodec finds in it."""
    write_video(path, [np.zeros((height, width, 3), np.uint8)] * 2, pixel_format=pixel_format, options=options)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.height, context.width) == (height, width)
        return context.extradata


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["baseline", "main", "high"]))
@settings(max_examples=40)
def test_the_size_is_libavcodecs(tmp_path_factory, half_height, half_width, profile):
    """With and without cropping to what is not a multiple of 16."""
    path = tmp_path_factory.mktemp("size") / "any.mp4"
    record = record_of(path, 2 * half_height, 2 * half_width, profile=profile, bf="0")
    assert picture_size(record) == (2 * half_height, 2 * half_width)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le"])
def test_the_size_of_uncommon_colours_is_left_to_libavcodec(tmp_path, pixel_format):
    assert picture_size(record_of(tmp_path / "any.mp4", 48, 64, pixel_format=pixel_format)) is None


def test_the_size_of_fields_is_left_to_libavcodec(tmp_path):
    """Their height counts double."""
    record = record_of(tmp_path / "any.mp4", 64, 64, **{"x264-params": "interlaced=1"})
    assert picture_size(record) is None


def test_a_record_cut_short_or_changed_gives_a_size_or_none(tmp_path):
    record = record_of(tmp_path / "any.mp4", 48, 64)
    assert picture_size(record) == (48, 64)
    for length in range(len(record)):
        assert picture_size(record[:length]) in (None, (48, 64))
    for index in range(len(record) * 8):
        changed = bytearray(record)
        changed[index // 8] ^= 1 << index % 8
        size = picture_size(bytes(changed))
        assert size is None or min(size) > 0
    assert picture_size(b"") is None


def test_a_header_of_nothing_but_zeros_is_no_number():
    """65,535 bytes of them: reading a number bit by bit to their end took seconds."""
    header = b"\x67\x42\x00\x1f\x00" + b"\x00\x00\x03" * 21_800
    record = b"\x01\x42\x00\x1f\xff\xe1" + len(header).to_bytes(2, "big") + header
    assert picture_size(record) is None


@given(st.binary(max_size=60))
def test_any_record_is_parsed_without_an_error(record):
    size = picture_size(b"\x01\x64\x00\x1f\xff\xe1\x00\x40\x67" + record)
    assert size is None or min(size) > 0
