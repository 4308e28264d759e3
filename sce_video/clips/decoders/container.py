"""What kind of container a file is, by its first bytes: no library is asked, so none can hang or die over it."""

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
