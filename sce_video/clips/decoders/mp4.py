"""The header of an mp4 (ISO/IEC 14496-12), parsed ten times as fast as FFmpeg opens the file."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from sce_video.clips.decoders.h264 import picture_size

# Offset of the display matrix (9 numbers of 4 bytes) in the boxes that have one, by their version.
_MATRIX_OFFSETS = {b"mvhd": (36, 48), b"tkhd": (40, 52)}
_UPRIGHT = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
_PARENTS = frozenset([b"trak", b"mdia", b"minf", b"stbl"])
_COMPOSITION_TIMES, _FRAGMENTS = b"ctts", b"mvex"
_ENTRY_BYTES = 78  # of a video sample entry, before the boxes in it
_WIDTH_OFFSET, _HEIGHT_OFFSET = 24, 26  # in the entry, 2 bytes each
_ESSENTIAL = (b"moov", b"moof", b"mdat")
_MOST_HEADER_BYTES = 2**20
_MOST_BOXES = 1000
# Offset of the count in the boxes that count samples.
_ALL_PARENTS = _PARENTS | {b"traf"}
_COUNT_OFFSETS = {b"stsz": 8, b"trun": 4}
_ALWAYS_PLAUSIBLE_SAMPLES, _MOST_SAMPLES_PER_BYTE = 2**20, 16


def plain_mp4_size(path: str) -> tuple[int, int] | None:
    """(height, width) of the frames of a plain mp4 or mov, pixels; None for all other files.

    Plain: one header without fragments, no rotation, one track of H.264 whose frames are stored in the order in which
    they are shown. `tools/prepare_data.py` writes such files.
    """
    try:
        num_bytes = os.path.getsize(path)
        with open(path, "rb") as file:
            header = _movie_header(file, num_bytes)
    except OSError:
        return None
    found = _boxes_inside(header)
    kinds = [kind for kind, _ in found]
    is_plain = (
        kinds.count(b"mvhd") == 1
        and kinds.count(b"tkhd") == kinds.count(b"trak")
        and _COMPOSITION_TIMES not in kinds
        and _FRAGMENTS not in kinds
        and _most_samples(found) <= _most_plausible(num_bytes)
        and all(_is_upright(kind, content) for kind, content in found if kind in _MATRIX_OFFSETS)
    )
    videos = [kind for kind, content in found if kind == b"hdlr" and content[8:12] == b"vide"]
    formats = [content[8:] for kind, content in found if kind == b"stsd" and content[12:16] == b"avc1"]
    return _size_of(formats[0]) if is_plain and len(videos) == len(formats) == 1 else None


def refuse_impossible_counts(path: str) -> None:
    """Refuse a header that claims too many samples: FFmpeg would allocate gigabytes for them.

    Raises:
        ValueError: more samples than any track of a file of this size has, even if most of the file is missing.
    """
    num_bytes = os.path.getsize(path)
    with open(path, "rb") as file:
        for top, start, size in _top_boxes(file, num_bytes):
            if top in (b"moov", b"moof"):
                file.seek(start)
                header = file.read(min(size, _MOST_HEADER_BYTES))
                count = _most_samples(_boxes_inside(header, parents=_ALL_PARENTS, is_cut_to_fit=True))
                if count > _most_plausible(num_bytes):
                    raise ValueError(f"its header claims {count} samples in {num_bytes} bytes")


def _most_samples(boxes: list[tuple[bytes, bytes]]) -> int:
    """The largest number of samples in a box."""
    counted = [(_COUNT_OFFSETS[kind], content) for kind, content in boxes if kind in _COUNT_OFFSETS]
    return max((int.from_bytes(content[offset : offset + 4], "big") for offset, content in counted), default=0)


def _most_plausible(num_bytes: int) -> int:
    return max(_ALWAYS_PLAUSIBLE_SAMPLES, _MOST_SAMPLES_PER_BYTE * num_bytes)


def _size_of(sample_entry: bytes) -> tuple[int, int] | None:
    """(height, width) in the H.264 header of a sample entry "avc1"; None if another entry follows.

    Also None if the entry has another size: it may crop the frames (1088 rows to 1080), which is left to FFmpeg.
    """
    size, _, begin = _box_head(sample_entry[:16], len(sample_entry))
    records = [content for kind, content in _boxes_inside(sample_entry[begin + _ENTRY_BYTES :]) if kind == b"avcC"]
    coded = picture_size(records[0]) if size == len(sample_entry) and len(records) == 1 else None
    offsets = (begin + _HEIGHT_OFFSET, begin + _WIDTH_OFFSET)
    height, width = (int.from_bytes(sample_entry[offset : offset + 2], "big") for offset in offsets)
    return coded if coded == (height, width) else None


def kinds_of_top_boxes(path: str) -> list[bytes]:
    """Kinds of the top-level boxes of a file, up to the first that does not fit into it.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return [kind for kind, _, _ in _top_boxes(file, os.path.getsize(path))]


def is_truncated_mp4(path: str) -> bool:
    """Whether the header or the frames extend beyond the end of the file.

    Raises:
        OSError: it cannot be read.
    """
    num_bytes = os.path.getsize(path)
    with open(path, "rb") as file:
        return any(kind in _ESSENTIAL and start + size > num_bytes for kind, start, size in _top_boxes(file, num_bytes))


def _movie_header(file: BinaryIO, num_bytes: int) -> bytes:
    """Content of the top-level box "moov"; empty unless there is exactly one."""
    found = []
    for kind, start, size in _top_boxes(file, num_bytes):
        if kind == b"moov" and start + size <= num_bytes:
            file.seek(start)
            found.append(file.read(min(size, _MOST_HEADER_BYTES)))
    return found[0] if len(found) == 1 else b""


def _top_boxes(file: BinaryIO, num_bytes: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, offset of the content, its size) of each top-level box; the last may extend beyond the file."""
    offset = 0
    for _ in range(_MOST_BOXES):
        file.seek(offset)
        size, kind, begin = _box_head(file.read(16), num_bytes - offset)
        if size < begin:
            return
        yield kind, offset + begin, size - begin
        offset += size
        if offset > num_bytes:
            return


def _boxes_inside(
    content: bytes, *, parents: frozenset[bytes] = _PARENTS, is_cut_to_fit: bool = False
) -> list[tuple[bytes, bytes]]:
    """(kind, content) of all boxes at any depth; a parent's content is given as empty.

    A box that does not fit into its parent ends that parent, or is cut to fit as FFmpeg does. To bound time and depth,
    the result is empty for more than `_MOST_BOXES` boxes.
    """
    found = []
    offset, ends = 0, [len(content)]
    while ends:
        size, kind, begin = _box_head(content[offset : min(offset + 16, ends[-1])], ends[-1] - offset)
        if is_cut_to_fit:
            size = min(size, ends[-1] - offset)
        if not begin <= size <= ends[-1] - offset:  # also at the parent's end
            offset = ends.pop()
            continue
        is_parent = kind in parents
        found.append((kind, b"" if is_parent else content[offset + begin : offset + size]))
        if len(found) > _MOST_BOXES:
            return []
        if is_parent:
            ends.append(offset + size)
        offset += begin if is_parent else size
    return found


def _box_head(head: bytes, remaining: int) -> tuple[int, bytes, int]:
    """(size in bytes, kind, offset of the content) of a box; size 0 if there is none.

    Args:
        remaining: bytes up to the parent's end, where a box without a size ends.
    """
    if len(head) < 8:
        return 0, b"", 8
    size = int.from_bytes(head[:4], "big")
    if size == 1:
        return int.from_bytes(head[8:16], "big"), head[4:8], 16
    return size or remaining, head[4:8], 8


def _is_upright(kind: bytes, content: bytes) -> bool:
    offset = dict(enumerate(_MATRIX_OFFSETS[kind])).get(content[0] if content else -1, len(content))
    return content[offset : offset + len(_UPRIGHT)] == _UPRIGHT
