"""Parser of tar headers with bounded time and memory.

Python's tarfile recurses for every header before a member's, and keeps all of them.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

BLOCK_BYTES = 512
# Long names, attributes and times have headers of their own before a member's: rarely more than two, of a few hundred
# bytes.
_MOST_HEADERS = 16
_MOST_HEADER_BYTES = 2**20
_MOST_SPARSE_BLOCKS = 10_000
_LONG_NAME, _LONG_LINK, _GLOBAL, _PAX = b"L", b"K", b"g", (b"x", b"X")
_REGULAR, _FOLDER, _SPARSE = (b"0", b"\0", b"7", b"S"), b"5", b"S"
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")  # even if their header has a size
_OCTAL = re.compile(rb" *([0-7]*) *")
_RECORD_LENGTH = re.compile(rb"([0-9]{1,7}) ")
_WHOLE = re.compile(r"[0-9]{1,19}")


class HeaderError(Exception):
    """Invalid or implausible tar header."""


class SeekableFile(Protocol):
    def seek(self, offset: int, /) -> int: ...
    def read(self, size: int, /) -> bytes: ...


class TarMember(NamedTuple):
    """A file, folder or link; its content, if it has any, is `size` bytes from offset `start`."""

    name: str
    start: int
    size: int
    is_regular: bool
    is_folder: bool
    is_sparse: bool


class TarMembers:
    """Iterator over the members in file order; `end` is the offset after those seen so far.

    It stops at a block of zeros, at the end of the file, and at a block that is not a header.

    Raises:
        HeaderError: the first block is not a header; too many or too large headers before a member, or damaged ones.
    """

    def __init__(self, file: SeekableFile) -> None:
        self._file = file
        self.end = 0

    def __iter__(self) -> Iterator[TarMember]:
        common: dict[str, str] = {}  # from global headers, for all members
        while True:
            offset, overrides = self.end, {}
            for _ in range(_MOST_HEADERS):
                block = self._header(offset)
                if block is None:
                    return
                kind = block[156:157]
                if kind not in (_LONG_NAME, _LONG_LINK, _GLOBAL, *_PAX):
                    break
                content, offset = self._content(block, offset)
                if kind == _LONG_NAME:
                    overrides["path"] = _text(content)
                elif kind != _LONG_LINK:
                    (common if kind == _GLOBAL else overrides).update(_records(content))
            else:
                raise HeaderError(f"more than {_MOST_HEADERS} headers before one member")
            member = self._member(block, offset + BLOCK_BYTES, {**common, **overrides})
            has_content = block[156:157] not in _WITHOUT_CONTENT and not member.is_folder
            self.end = member.start + (_padded(member.size) if has_content else 0)
            yield member

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def _header(self, offset: int) -> bytes | None:
        block = self._read(offset, BLOCK_BYTES)
        is_header = len(block) == BLOCK_BYTES and _number(block[148:156]) in _checksums(block)
        if not is_header and offset == 0 and (block.strip(b"\0") or len(block) < BLOCK_BYTES):
            raise HeaderError("it does not start with a header")
        return block if is_header else None

    def _content(self, block: bytes, offset: int) -> tuple[bytes, int]:
        """Content of a header before a member's, and the offset after it."""
        size = _size(block)
        if size > _MOST_HEADER_BYTES:
            raise HeaderError(f"a header has {size} bytes")
        content = self._read(offset + BLOCK_BYTES, size)
        if len(content) < size:
            raise HeaderError("it ends within a header")
        return content, offset + BLOCK_BYTES + _padded(size)

    def _member(self, block: bytes, start: int, overrides: dict[str, str]) -> TarMember:
        kind, name = block[156:157], _text(block[:100])
        if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
            name = f"{prefix}/{name}"
        name = overrides.get("GNU.sparse.name") or overrides.get("path") or name
        size = _size(block)
        if overrides.get("size"):
            if not _WHOLE.fullmatch(overrides["size"]):
                raise HeaderError(f"a size is {overrides['size'][:30]!r}")
            size = int(overrides["size"])
        return TarMember(
            name=name.rstrip("/"),
            start=self._after_sparse_map(block, start) if kind == _SPARSE else start,
            size=size,
            is_regular=kind in _REGULAR,
            is_folder=kind == _FOLDER or (kind == b"\0" and name.endswith("/")),
            is_sparse=kind == _SPARSE or any(key.startswith("GNU.sparse.") for key in overrides),
        )

    def _after_sparse_map(self, block: bytes, start: int) -> int:
        has_more = block[482:483] != b"\0"
        for _ in range(_MOST_SPARSE_BLOCKS):
            if not has_more:
                return start
            has_more = self._read(start, BLOCK_BYTES)[504:505] not in (b"\0", b"")
            start += BLOCK_BYTES
        raise HeaderError("a sparse file has too many parts")


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _size(block: bytes) -> int:
    size = _number(block[124:136])
    if size is None:
        raise HeaderError(f"a size is {block[124:136]!r}")
    return size


def _number(field: bytes) -> int | None:
    """A number in octal digits, or binary after a byte 0x80; None for anything else and for negative numbers."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    found = _OCTAL.fullmatch(field.partition(b"\0")[0])
    return None if found is None else int(found[1] or b"0", 8)


def _checksums(block: bytes) -> tuple[int, int]:
    """Checksum of a header with blanks in its checksum field, of unsigned bytes and, as some programs do, of signed."""
    others = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(others)
    return unsigned, unsigned - 256 * sum(byte > 127 for byte in others)


def _records(content: bytes) -> dict[str, str]:
    """The `length key=value` records of a pax header about names, sizes and sparse files."""
    records = {}
    start = 0
    while start < len(content) and content[start]:
        found = _RECORD_LENGTH.match(content, start)
        end = start + int(found[1]) if found is not None else 0
        if found is None or not found.end() < end <= len(content):
            raise HeaderError("a pax header is damaged")
        key, _, value = content[found.end() : end - 1].partition(b"=")
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse."):
            records[_text(key)] = _text(value)
        start = end
    return records
