"""Parsers of container structure: boxes of mp4 and mov, chunks of AVI, elements of Matroska and WebM."""

from collections.abc import Iterator
from typing import NamedTuple

# Boxes that contain other boxes, and how many bytes of their own come before those.
_MP4_PARENTS = dict.fromkeys(
    [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf", b"udta"], 0
)
_MP4_PARENTS |= {b"stsd": 8, b"avc1": 78, b"hev1": 78, b"hvc1": 78, b"av01": 78, b"vp09": 78, b"mp4v": 78}
# Segment, Info, Tracks, TrackEntry, Video, Cues, CuePoint, CueTrackPositions, Cluster, BlockGroup
_EBML_PARENTS = {
    bytes.fromhex(code)
    for code in ("18538067", "1549a966", "1654ae6b", "ae", "e0", "1c53bb6b", "bb", "b7", "1f43b675", "a0")
}
_EBML_HEAD = bytes.fromhex("1a45dfa3")
_PAYLOADS = {b"mdat", b"movi", bytes.fromhex("1f43b675")}  # in mp4, AVI and Matroska
_INDEXES = {b"stbl", b"trun", b"idx1", b"indx", bytes.fromhex("1c53bb6b")}
_MOST_ELEMENTS = 3000


class Element(NamedTuple):
    """[start, body) is the header with name and size, [body, stop) the content."""

    name: bytes
    size_at: int  # offset of the size field
    size_bytes: int
    start: int
    body: int
    stop: int
    depth: int


def elements_of(content: bytes) -> list[Element]:
    """All elements, parents before children; empty for other containers."""
    if content[:4] == _EBML_HEAD:
        found = _ebml(content, 0, len(content), 0)
    elif content[:4] == b"RIFF":
        found = _riff(content, 0, len(content), 0)
    elif content[4:8].isalpha():
        found = _mp4(content, 0, len(content), 0)
    else:
        return []
    return [element for _, element in zip(range(_MOST_ELEMENTS), found, strict=False)]


def stretch(content: bytes, part: str) -> tuple[int, int]:
    """Byte range of the "header" (everything but the payload), "index" or "payload".

    In unknown containers the header is the first 512 bytes, the payload the rest.
    """
    elements = elements_of(content)
    if not elements:
        middle = min(512, len(content) // 2)
        return (middle, len(content)) if part == "payload" else (0, middle)
    payloads = [element for element in elements if element.name in _PAYLOADS]
    indexes = [element for element in elements if element.name in _INDEXES]
    begin, end = (payloads[0].start, payloads[-1].stop) if payloads else (len(content), len(content))
    if part == "payload" and begin < end:
        return begin, end
    if part == "index" and indexes:
        return indexes[0].body, indexes[0].stop
    return (0, begin) if begin > len(content) - end else (end, len(content))  # the larger part around the payload


def _mp4(content: bytes, start: int, end: int, depth: int) -> Iterator[Element]:
    while start + 8 <= end:
        size, name, head = int.from_bytes(content[start : start + 4], "big"), content[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(content[start + 8 : start + 16], "big"), 16
        stop = end if size == 0 else start + size
        if not start + head <= stop <= end:
            return
        yield Element(name, start, 4, start, start + head, stop, depth)
        if name in _MP4_PARENTS:
            yield from _mp4(content, start + head + _MP4_PARENTS[name], stop, depth + 1)
        start = stop


def _riff(content: bytes, start: int, end: int, depth: int) -> Iterator[Element]:
    while start + 8 <= end:
        kind, size = content[start : start + 4], int.from_bytes(content[start + 4 : start + 8], "little")
        is_list = kind in (b"RIFF", b"LIST")
        name = content[start + 8 : start + 12] if is_list else kind
        stop = min(start + 8 + size, end)
        yield Element(name, start + 4, 4, start, start + 8, stop, depth)
        if is_list:
            yield from _riff(content, start + 12, stop, depth + 1)
        start = stop + size % 2


def _ebml(content: bytes, start: int, end: int, depth: int) -> Iterator[Element]:
    while start + 2 <= end:
        id_bytes = _varint_bytes(content[start])
        size_at = start + id_bytes
        if size_at >= end:
            return
        size_bytes = _varint_bytes(content[size_at])
        body = size_at + size_bytes
        size = int.from_bytes(content[size_at:body], "big") & ~(1 << (7 * size_bytes))
        is_unknown = size == (1 << (7 * size_bytes)) - 1  # up to the end of the parent
        stop = end if is_unknown else min(body + size, end)
        if body > end:
            return
        name = content[start:size_at]
        yield Element(name, size_at, size_bytes, start, body, stop, depth)
        if name in _EBML_PARENTS:
            yield from _ebml(content, body, stop, depth + 1)
        start = stop


def _varint_bytes(first: int) -> int:
    """Length of an EBML variable-size integer, from its first byte."""
    return 9 - first.bit_length() if first else 8
