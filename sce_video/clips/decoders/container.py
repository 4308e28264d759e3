"""What kind of file something is, by its first bytes: no library is asked, so none can hang or die over it."""

import os
from codecs import getincrementaldecoder

from sce_video.clips.decoders.mp4 import is_cut_mp4, kinds_of_top_boxes

# Types of the boxes that an mp4 or mov file can begin with; they follow the box's length.
_MP4_BOXES = frozenset([b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid"])
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_UNKNOWN_SIZES = {num_bytes: (1 << 7 * num_bytes) - 1 for num_bytes in range(1, 9)}  # all ones
_HEAD_BYTES = 1024
# Beside what can be seen: blanks, the sign of colours in a terminal's log, and that of UTF-8.
_OF_TEXT = "\t\n\r\f\x1b\ufeff"


def is_mp4_or_matroska(path: str) -> bool:
    """Whether a file looks like mp4, mov, mkv or webm.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(8)
    return head[4:8] in _MP4_BOXES or head[:4] == _EBML


def is_matroska_cut_short(path: str) -> bool:
    """Whether an mkv or webm says that its one segment reaches beyond the end of the file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:4] != _EBML:
        return False
    size, begin = _ebml_size(head, 4)
    offset = begin + size  # of the segment, behind the header
    if head[offset : offset + 4] != _SEGMENT:
        return False
    size, begin = _ebml_size(head, offset + 4)
    return size != _UNKNOWN_SIZES.get(begin - offset - 4) and begin + size > os.path.getsize(path)


def _ebml_size(head: bytes, offset: int) -> tuple[int, int]:
    """A length, whose first byte tells by its leading zeros how many follow it, and the offset behind it."""
    num_bytes = 9 - head[offset].bit_length() if offset < len(head) else 9
    return int.from_bytes(head[offset : offset + num_bytes], "big") & (1 << 7 * num_bytes) - 1, offset + num_bytes


def plain_fault(path: str, *, kind: str = "video") -> str | None:
    """What is plainly wrong with a file that cannot be opened, by its first bytes or boxes; None: nothing is."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head:
            return "empty file"
        if _is_text(head):
            return f"not {'an' if kind == 'image' else 'a'} {kind}: text"
        if head[4:8] in _MP4_BOXES and b"moov" not in kinds_of_top_boxes(path):
            return "incomplete: no index (moov)"
        if is_cut_mp4(path) if head[4:8] in _MP4_BOXES else is_matroska_cut_short(path):
            return "incomplete: it says that it goes on beyond its end"
    except OSError:
        pass
    return None


def _is_text(head: bytes) -> bool:
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # which may end inside a letter
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in _OF_TEXT for letter in text)
