"""What the header of an mp4 says (ISO/IEC 14496-12), read from its bytes: to ask FFmpeg takes ten times as long."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from sce_video.clips.decoders.h264 import picture_size

# Where the display matrix lies in the boxes that have one, by their version; of 9 numbers of 4 bytes.
_MATRIX_AT = {b"mvhd": (36, 48), b"tkhd": (40, 52)}
_UPRIGHT = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
_PARENTS = frozenset([b"trak", b"mdia", b"minf", b"stbl"])
_REORDERS, _CONTINUES = b"ctts", b"mvex"  # times of composition; more of the header in fragments
_ENTRY_BYTES = 78  # of a video sample entry, before the boxes in it
_WIDTH_AT, _HEIGHT_AT = 24, 26  # in it, each of 2 bytes
_WHOLE = (b"moov", b"moof", b"mdat")
_MOST_HEADER_BYTES = 2**20
_MOST_BOXES = 1000
# Where the boxes that count samples do so.
_ALL_PARENTS = _PARENTS | {b"traf"}
_COUNT_AT = {b"stsz": 8, b"trun": 4}
_ALWAYS_BELIEVED_SAMPLES, _MOST_SAMPLES_A_BYTE = 2**20, 16


def plain_mp4_size(path: str) -> tuple[int, int] | None:
    """Height and width of the frames of a plain mp4 (or mov), pixels; None for all other files.

    Plain: one header in one piece, no track turned, one track of H.264 whose frames are stored in the order in which
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
        and _REORDERS not in kinds
        and _CONTINUES not in kinds
        and _most_samples(found) <= _most_believed(num_bytes)
        and all(_is_upright(kind, content) for kind, content in found if kind in _MATRIX_AT)
    )
    videos = [kind for kind, content in found if kind == b"hdlr" and content[8:12] == b"vide"]
    formats = [content[8:] for kind, content in found if kind == b"stsd" and content[12:16] == b"avc1"]
    return _size_of(formats[0]) if is_plain and len(videos) == len(formats) == 1 else None


def refuse_impossible_counts(path: str) -> None:
    """For what is not plain: FFmpeg makes room for as many samples as a header claims, gigabytes in a few bytes.

    Raises:
        ValueError: more samples than any track of so many bytes has, even if most of the file is missing.
    """
    num_bytes = os.path.getsize(path)
    with open(path, "rb") as file:
        for top, start, size in _top_boxes(file, num_bytes):
            if top in (b"moov", b"moof"):
                file.seek(start)
                header = file.read(min(size, _MOST_HEADER_BYTES))
                count = _most_samples(_boxes_inside(header, parents=_ALL_PARENTS, is_cut_to_fit=True))
                if count > _most_believed(num_bytes):
                    raise ValueError(f"its header claims {count} samples in {num_bytes} bytes")


def _most_samples(boxes: list[tuple[bytes, bytes]]) -> int:
    """The largest count of samples in one box."""
    counted = [(_COUNT_AT[kind], content) for kind, content in boxes if kind in _COUNT_AT]
    return max((int.from_bytes(content[offset : offset + 4], "big") for offset, content in counted), default=0)


def _most_believed(num_bytes: int) -> int:
    return max(_ALWAYS_BELIEVED_SAMPLES, _MOST_SAMPLES_A_BYTE * num_bytes)


def _size_of(sample_entry: bytes) -> tuple[int, int] | None:
    """By the H.264 stream's own header, of one box "avc1"; None if something else follows it.

    None as well if the box says another size: it may crop the pictures (1088 rows of them to 1080), as FFmpeg decides.
    """
    size, _, begin = _box_head(sample_entry[:16], len(sample_entry))
    records = [content for kind, content in _boxes_inside(sample_entry[begin + _ENTRY_BYTES :]) if kind == b"avcC"]
    said = picture_size(records[0]) if size == len(sample_entry) and len(records) == 1 else None
    height, width = (
        int.from_bytes(sample_entry[begin + offset : begin + offset + 2], "big") for offset in (_HEIGHT_AT, _WIDTH_AT)
    )
    return said if said == (height, width) else None


def kinds_of_top_boxes(path: str) -> list[bytes]:
    """The kinds of the boxes at the top of a file, up to the first that does not fit into it.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return [kind for kind, _, _ in _top_boxes(file, os.path.getsize(path))]


def is_cut_mp4(path: str) -> bool:
    """Whether its header, or its pictures, reach beyond the end of the file.

    Raises:
        OSError: it cannot be read.
    """
    num_bytes = os.path.getsize(path)
    with open(path, "rb") as file:
        return any(kind in _WHOLE and start + size > num_bytes for kind, start, size in _top_boxes(file, num_bytes))


def _movie_header(file: BinaryIO, num_bytes: int) -> bytes:
    """What the box "moov" at the top of the file holds; nothing if there is none, or not one alone."""
    found = []
    for kind, start, size in _top_boxes(file, num_bytes):
        if kind == b"moov" and start + size <= num_bytes:
            file.seek(start)
            found.append(file.read(min(size, _MOST_HEADER_BYTES)))
    return found[0] if len(found) == 1 else b""


def _top_boxes(file: BinaryIO, num_bytes: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each box, and where what it holds begins and how long it is; the last one may reach beyond the file."""
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
    """Kind and content of every box but the parents', whose kind alone comes.

    A box that does not fit into its parent ends that parent, or is cut to fit as FFmpeg does. Nothing of a header of
    more boxes than a plain one has: time and depth are bounded.
    """
    found = []
    offset, ends = 0, [len(content)]
    while ends:
        size, kind, begin = _box_head(content[offset : min(offset + 16, ends[-1])], ends[-1] - offset)
        if is_cut_to_fit:
            size = min(size, ends[-1] - offset)
        if not begin <= size <= ends[-1] - offset:  # as at the parent's end, where there is no box
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
    offset = dict(enumerate(_MATRIX_AT[kind])).get(content[0] if content else -1, len(content))
    return content[offset : offset + len(_UPRIGHT)] == _UPRIGHT
