"""The boxes of an mp4, parsed by hand, for any number and depth of them."""

import struct
from contextlib import nullcontext, suppress

import av
import pytest
import torch

from sce_video.clips.decoders import DecodeError, open_video
from sce_video.clips.decoders.mp4 import _boxes_inside, kinds_of_top_boxes, plain_mp4_size, refuse_impossible_counts
from tests.clips.decoders.numbered import numbers_in, write_numbered


def box(kind, content=b""):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def nested(kind, depth):
    """Nested boxes, written from the inside out."""
    heads = [struct.pack(">I4s", 8 * (depth - level), kind) for level in range(depth)]
    return b"".join(heads)


def test_boxes_and_those_in_parents():
    header = box(b"mvhd", b"12") + box(b"trak", box(b"tkhd", b"3") + box(b"mdia", box(b"hdlr"))) + box(b"udta", b"4")
    assert _boxes_inside(header) == [
        *((b"mvhd", b"12"), (b"trak", b""), (b"tkhd", b"3"), (b"mdia", b""), (b"hdlr", b""), (b"udta", b"4"))
    ]
    assert _boxes_inside(b"") == []


def test_a_box_that_does_not_fit_ends_its_parent_alone():
    long = struct.pack(">I4s", 100, b"tkhd")
    header = box(b"trak", box(b"mdia") + long) + box(b"mvhd", b"1")
    assert _boxes_inside(header) == [(b"trak", b""), (b"mdia", b""), (b"mvhd", b"1")]
    assert _boxes_inside(long + box(b"mvhd")) == []
    assert _boxes_inside(box(b"trak", b"1234567")) == [(b"trak", b"")]


@pytest.mark.parametrize("header", [nested(b"trak", 120_000), box(b"free") * 120_000], ids=["deep", "many"])
def test_more_boxes_than_a_plain_header_has(header):
    """Copying the rest of the header for each of them took minutes, recursion for each ended the run."""
    assert _boxes_inside(header) == []


def test_a_good_file_with_nested_boxes(tmp_path):
    """Either frames or one error, depending on FFmpeg."""
    path = tmp_path / "a.mp4"
    write_numbered(path, options={"bf": "0", "g": "12"})
    content = path.read_bytes()
    assert plain_mp4_size(str(path)) == (32, 128)
    begin = content.rindex(b"moov") - 4  # the last box
    path.write_bytes(content[:begin] + box(b"moov", content[begin + 8 :] + nested(b"trak", 1200)))
    assert plain_mp4_size(str(path)) is None
    with suppress(DecodeError), open_video(path, decoder="pyav") as opened:
        assert numbers_in(opened.frames_at([0.5, 1.01])) == [15, 30]


@pytest.mark.parametrize(("width", "height"), [(122, 32), (128, 26), (122, 26), (112, 32), (136, 40), (0, 0)])
def test_the_container_may_crop_the_frames(tmp_path, width, height):
    """Cameras write 1088 rows, of which a container shows 1080: FFmpeg crops if the blocks of 16 are the same."""
    path = tmp_path / "a.mp4"
    write_numbered(path, options={"bf": "0", "g": "12"})  # 128 x 32
    content = path.read_bytes()
    at = content.rindex(b"avc1") + 4 + 24
    path.write_bytes(content[:at] + struct.pack(">HH", width, height) + content[at + 4 :])
    with av.open(str(path)) as plain:
        right = next(plain.decode(video=0))
        pixels = torch.from_numpy(right.to_ndarray(format="rgb24")).permute(2, 0, 1)
    with open_video(path, decoder="pyav") as opened:
        assert (opened.metadata.width, opened.metadata.height) == (right.width, right.height)
        assert torch.equal(opened.frames_at([0.0])[0], pixels)


def test_boxes_at_the_top(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", 2**63 + 5) + b"more")
    assert kinds_of_top_boxes(str(path)) == [b"ftyp", b"mdat"]
    path.write_bytes(box(b"ftyp", b"isom") + struct.pack(">I4s", 0, b"mdat") + b"to the end")
    assert kinds_of_top_boxes(str(path)) == [b"ftyp", b"mdat"]
    path.write_bytes(box(b"free") * 5000)
    assert len(kinds_of_top_boxes(str(path))) == 1000


def test_impossible_counts_are_refused(tmp_path):
    """A fragment of 33 million samples in 3 KB took FFmpeg 2.3 GB."""
    path = tmp_path / "a.mp4"
    write_numbered(path, num_frames=20, container_options={"movflags": "frag_keyframe+empty_moov"})
    content = bytearray(path.read_bytes())
    refuse_impossible_counts(str(path))
    offset = content.index(b"trun") + 8
    assert int.from_bytes(content[offset : offset + 4], "big") == 20
    content[offset : offset + 4] = (2**25).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=rf"^{path}: .*its header claims 33554432 samples in {len(content)} bytes"):
        open_video(path, decoder="pyav")
    for count, is_refused in ((2**20, False), (2**20 + 1, True)):
        path.write_bytes(box(b"moov", box(b"trak", box(b"mdia", box(b"stsz", struct.pack(">III", 0, 1, count))))))
        with pytest.raises(ValueError, match="claims") if is_refused else nullcontext():
            refuse_impossible_counts(str(path))
