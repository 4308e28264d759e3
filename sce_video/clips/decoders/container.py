"""File types and truncation from the first bytes of a file, without a library that could hang or crash."""

import os
from codecs import getincrementaldecoder

from sce_video.clips.decoders.mp4 import is_truncated_mp4, kinds_of_top_boxes

# Types of the boxes that an mp4 or mov file can begin with; the type follows the box's size.
_MP4_BOXES = frozenset([b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid"])
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_UNKNOWN_SIZES = {num_bytes: (1 << 7 * num_bytes) - 1 for num_bytes in range(1, 9)}  # all ones
_HEAD_BYTES = 1024
# Not printable, but common in text: blanks, the escape character of terminal colours, the byte-order mark.
_TEXT_CONTROLS = "\t\n\r\f\x1b\ufeff"


def is_mp4_or_matroska(path: str) -> bool:
    """Whether a file looks like mp4, mov, mkv or webm.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(8)
    return head[4:8] in _MP4_BOXES or head[:4] == _EBML


def is_truncated_matroska(path: str) -> bool:
    """Whether the segment of an mkv or webm file extends beyond the end of the file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:4] != _EBML:
        return False
    size, begin = _ebml_size(head, 4)
    offset = begin + size  # of the segment, after the header
    if head[offset : offset + 4] != _SEGMENT:
        return False
    size, begin = _ebml_size(head, offset + 4)
    return size != _UNKNOWN_SIZES.get(begin - offset - 4) and begin + size > os.path.getsize(path)


def _ebml_size(head: bytes, offset: int) -> tuple[int, int]:
    """A size of variable length (the first byte's leading zeros give the number of further bytes), and its end."""
    num_bytes = 9 - head[offset].bit_length() if offset < len(head) else 9
    return int.from_bytes(head[offset : offset + num_bytes], "big") & (1 << 7 * num_bytes) - 1, offset + num_bytes


def obvious_fault(path: str, *, kind: str = "video") -> str | None:
    """An obvious fault of a file that cannot be opened, by its first bytes or boxes; None if there is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head:
            return "empty file"
        if _is_text(head):
            return f"not {'an' if kind == 'image' else 'a'} {kind}: text"
        if head[4:8] in _MP4_BOXES and b"moov" not in kinds_of_top_boxes(path):
            return "incomplete: no index (moov)"
        if is_truncated_mp4(path) if head[4:8] in _MP4_BOXES else is_truncated_matroska(path):
            return "incomplete: its header announces more bytes"
    except OSError:
        pass
    return None


def _is_text(head: bytes) -> bool:
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # which may end within a character
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in _TEXT_CONTROLS for letter in text)
