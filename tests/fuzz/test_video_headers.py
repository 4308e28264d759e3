"""Mutated and random mp4 headers give the same frames by both ways of opening, or one error."""

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from sce_video.clips.decoders import DecodeError, open_video, pyav_decoder
from sce_video.clips.decoders.h264 import are_unreferenced, may_change_geometry, picture_size
from sce_video.clips.decoders.mp4 import plain_mp4_size
from tests.clips.decoders.numbered import write_numbered

PLAIN = {"bf": "0", "g": "12"}
PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts", b"udta", b"mvex")
KINDS = (
    *PARENTS,
    b"mvhd",
    b"tkhd",
    b"hdlr",
    b"stsd",
    b"avc1",
    b"avcC",
    b"ctts",
    b"stts",
    b"elst",
    b"free",
    b"\0\0\0\0",
)
SIZES = (0, 1, 7, 8, 9, 2**31 - 1, 2**31, 2**32 - 1)
# Larger frames are not read, as they take the memory of one frame.
MOST_PIXELS = 2**21


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("good")
    index_in_front, fragments = {"movflags": "faststart"}, {"movflags": "frag_keyframe+empty_moov"}
    how = [
        {"options": PLAIN, "container_options": index_in_front},
        {"options": PLAIN},
        {"options": {"bf": "2", "g": "12"}, "container_options": index_in_front},
        {"options": PLAIN, "container_options": fragments},
    ]
    files = [write_numbered(folder / f"{i}.mp4", num_frames=20, **each).path for i, each in enumerate(how)]
    return [file.read_bytes() for file in files]


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def random_box(dice: random.Random, depth: int = 0) -> bytes:
    kind = dice.choice(KINDS)
    if kind in PARENTS and depth < 40 and dice.random() < 0.9:
        content = b"".join(random_box(dice, depth + 1) for _ in range(dice.randrange(3)))
    else:
        content = dice.randbytes(dice.randrange(40))
    made = box(kind, content)
    return made if dice.random() < 0.95 else struct.pack(">I", dice.choice(SIZES)) + made[4:]


def heads(content: bytes) -> list[int]:
    """Offsets of the names of boxes, or of bytes that look like one."""
    offsets = []
    for kind in (*KINDS[:-1], b"mdat", b"ftyp", b"stco", b"stsz", b"stsc", b"stss", b"trun", b"tfhd", b"tfdt"):
        offset = content.find(kind)
        while offset >= 4:
            offsets.append(offset)
            offset = content.find(kind, offset + 1)
    return offsets


def other_bytes(content: bytearray, dice: random.Random) -> None:
    """After the name of a box."""
    offset = dice.choice(heads(bytes(content))) + 4 + dice.randrange(120)
    for _ in range(dice.choice([1, 1, 4, 20])):
        if offset < len(content):
            content[offset] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        offset += 1


def other_size(content: bytearray, dice: random.Random) -> None:
    offset = dice.choice(heads(bytes(content)))
    content[offset - 4 : offset] = struct.pack(">I", dice.choice([*SIZES, dice.randrange(5000)]))


def other_kind(content: bytearray, dice: random.Random) -> None:
    offset = dice.choice(heads(bytes(content)))
    content[offset : offset + 4] = dice.choice(KINDS)


def more_boxes(content: bytearray, dice: random.Random) -> None:
    """Insert some before any box, or append a header of many thousands."""
    offset = dice.choice(heads(bytes(content))) - 4
    content[offset:offset] = random_box(dice)
    if dice.random() < 0.1:
        content += b"".join(struct.pack(">I4s", 8 * (9000 - level), b"trak") for level in range(9000))


def cut(content: bytearray, dice: random.Random) -> None:
    del content[dice.randrange(len(content)) :]


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    *([other_bytes] * 5),
    *(other_size, other_kind, more_boxes, cut),
]


def shown(path: Path) -> torch.Tensor | None:
    """Some of the frames; None if the file is refused."""
    try:
        with open_video(path, decoder="pyav") as opened:
            about = opened.metadata
            assert about.num_frames >= 1
            assert min(about.duration_seconds, about.fps, about.height, about.width) > 0
            assert abs(about.num_frames - about.duration_seconds * about.fps) <= 1
            if about.height * about.width > MOST_PIXELS:
                return None
            frames = opened.frames_at([0.0, 0.21, 0.5])
            assert frames.shape == (3, 3, about.height, about.width)
            return frames
    except DecodeError as error:
        if not str(error).startswith(f"{path}: ") or "\n" in str(error):
            raise AssertionError(str(error)) from error
        return None


def test_headers_of_mp4(good: list[bytes], tmp_path: Path, seeds: Iterator[int], monkeypatch) -> None:
    path = tmp_path / "fuzzed.mp4"
    num_plain = 0
    for seed in seeds:
        dice = random.Random(seed)
        content = bytearray(dice.choice(good)) if dice.random() < 0.95 else bytearray(random_box(dice))
        for _ in range(dice.choice([1, 1, 2, 5])):
            if heads(bytes(content)):
                dice.choice(MUTATIONS)(content, dice)
        path.write_bytes(content)
        frames = shown(path)
        if plain_mp4_size(str(path)) is None:
            continue
        num_plain += 1
        with monkeypatch.context() as patch:  # open it as all other files
            patch.setattr(pyav_decoder, "plain_mp4_size", lambda path: None)
            generally = shown(path)
        assert frames is None or generally is None or torch.equal(frames, generally), seed
    assert num_plain > 0


def test_h264(good: list[bytes], seeds: Iterator[int]) -> None:
    """A parameter set, or a packet, of changed bytes gives a size or none."""
    offset = good[0].index(b"avcC") + 4
    record = good[0][offset : offset + 60]
    for seed in seeds:
        dice = random.Random(seed)
        content = bytearray(record if dice.random() < 0.7 else dice.randbytes(dice.randrange(100)))
        for _ in range(dice.randrange(6)):
            if content:
                content[dice.randrange(len(content))] = dice.choice([0, 0, 3, 0xFF, dice.randrange(256)])
        if dice.random() < 0.01:
            content += bytes([dice.choice([0, 3, 255])]) * 30_000
        size = picture_size(bytes(content))
        assert size is None or (0 < size[0] <= 2**37 and 0 < size[1] <= 2**37)
        for length_bytes in (0, 1, 2, 4):
            assert may_change_geometry(bytes(content), length_bytes=length_bytes) in (True, False)
            assert are_unreferenced([bytes(content)], length_bytes=length_bytes) in ([True], [False])
