"""What a container is and says, read from its bytes: no library is asked, so none can hang or die over it."""

import os
from collections.abc import Iterator
from typing import BinaryIO

# Types of the boxes that an mp4 or mov file can begin with; they follow the box's length.
_MP4_BOXES = frozenset([b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid"])
_EBML = b"\x1a\x45\xdf\xa3"


def is_mp4_or_matroska(path: str) -> bool:
    """Whether a file looks like mp4, mov, mkv or webm.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(8)
    return head[4:8] in _MP4_BOXES or head[:4] == _EBML


# Where the display matrix lies in the boxes that have one, by their version; of 9 numbers of 4 bytes.
_MATRIX_AT = {b"mvhd": (36, 48), b"tkhd": (40, 52)}
_UPRIGHT = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
_PARENTS = frozenset([b"trak", b"mdia", b"minf", b"stbl"])
_REORDERS, _CONTINUES = b"ctts", b"mvex"  # times of composition; more of the header in fragments
_MOST_HEADER_BYTES = 2**20
_MOST_BOXES = 1000


def is_plain_mp4(path: str) -> bool:
    """Whether a file is an mp4 or mov whose one header says that no track is turned and no frame shown out of order.

    False also where that cannot be told quickly.
    """
    try:
        with open(path, "rb") as file:
            header = _movie_header(file, os.path.getsize(path))
    except OSError:
        return False
    found = list(_boxes_inside(header))
    kinds = [kind for kind, _ in found]
    matrices = [_is_upright(kind, content) for kind, content in found if kind in _MATRIX_AT]
    return (
        all(matrices)
        and kinds.count(b"mvhd") == 1
        and kinds.count(b"tkhd") == kinds.count(b"trak") > 0
        and _REORDERS not in kinds
        and _CONTINUES not in kinds
    )


def _movie_header(file: BinaryIO, num_bytes: int) -> bytes:
    """What the box "moov" at the top of the file holds; nothing if there is none, or not one alone."""
    found = []
    place = 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        size, kind, begin = _box_head(file.read(16), num_bytes - place)
        if not begin <= size <= num_bytes - place:
            break
        if kind == b"moov":
            file.seek(place + begin)
            found.append(file.read(min(size - begin, _MOST_HEADER_BYTES)))
        place += size
    return found[0] if len(found) == 1 else b""


def _boxes_inside(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of every box but the parents', whose kind alone comes; up to the first that does not fit."""
    while content:
        size, kind, begin = _box_head(content[:16], len(content))
        if not begin <= size <= len(content):
            return
        if kind in _PARENTS:
            yield kind, b""
            yield from _boxes_inside(content[begin:size])
        else:
            yield kind, content[begin:size]
        content = content[size:]


def _box_head(head: bytes, remaining: int) -> tuple[int, bytes, int]:
    """Size in bytes, kind, and where what the box holds begins; size 0 where there is no box.

    Args:
        remaining: bytes up to the parent's end, to which a box may reach without a size.
    """
    if len(head) < 8:
        return 0, b"", 8
    size = int.from_bytes(head[:4], "big")
    if size == 1:
        return int.from_bytes(head[8:16], "big"), head[4:8], 16
    return size or remaining, head[4:8], 8


def _is_upright(kind: bytes, content: bytes) -> bool:
    place = dict(enumerate(_MATRIX_AT[kind])).get(content[0] if content else -1, len(content))
    return content[place : place + len(_UPRIGHT)] == _UPRIGHT
