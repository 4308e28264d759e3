"""Which videos are in a tar file, and where, from its headers and its small members alone."""

import io
import json
import re
import struct
import tarfile
from collections.abc import Callable
from typing import NamedTuple

from sce_video.data.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from sce_video.errors import ManifestError

ReadRange = Callable[[int, int], bytes]  # (start, length) -> so many bytes

# Read at once: a header with the labels before it and the next header behind, so that a video costs one request.
_BLOCK_BYTES = 64 * 1024
_MOST_LABEL_BYTES = 2**20
_MOST_READ_BYTES = 4 * 2**20
# As WebDataset splits names: the key goes to the first dot of the last part.
_KEY_AND_ENDING = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_LABEL_ENDINGS = (".cls", ".json")
_WANTED_ENDINGS = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *_LABEL_ENDINGS)
# What follows the last header fills a block of tar's, of 10 KiB mostly.
_MOST_PADDING_BYTES = 20 * 512
# What tarfile raises over headers that make no sense.
_TAR_ERRORS = (tarfile.TarError, EOFError, ValueError, OverflowError, IndexError, KeyError, struct.error)


class ShardVideo(NamedTuple):
    """Name, place and label (None: it has none) of one video; start and length in bytes."""

    name: str
    start: int
    length: int
    label: int | None


def read_tar(shard: object, read: ReadRange, size: int) -> list[ShardVideo]:
    """The videos of a shard in the order of their files.

    Args:
        shard: its name, for messages.
        size: of the shard, bytes.
    Raises:
        ManifestError: compressed, damaged or no tar; links, sparse files; a key with two videos; a label that is no
            number.
    """
    file = _RangedFile(read, size)
    for magic, kind in _COMPRESSED.items():
        if file.read(len(magic)) == magic:
            raise ManifestError(f"{shard} is compressed ({kind}): no random access; unpack it to a plain tar")
        file.seek(0)
    groups: dict[str, dict[str, _Found]] = {}
    for found in _files_in(shard, file, size):
        parts = _KEY_AND_ENDING.fullmatch(found.member.name.removeprefix("./"))
        if parts is None:  # hidden
            continue
        group, ending = groups.setdefault(parts[1], {}), parts[2].lower()
        if ending in group:
            raise ManifestError(f"{shard} holds {found.member.name!r} twice")
        group[ending] = found
    videos = [video for group in groups.values() if (video := _video_of(shard, group)) is not None]
    return sorted(videos, key=lambda video: video.start)


class _Found(NamedTuple):
    """A file in a tar; its content where it may be a label, None otherwise."""

    member: tarfile.TarInfo
    content: bytes | None


def _files_in(shard: object, file: "_RangedFile", size: int) -> list[_Found]:
    """The files of a tar that have a known ending; what is behind the last one must be zeros or nothing."""
    try:
        with tarfile.open(fileobj=file, mode="r:", errorlevel=2) as tar:
            # A label is read where it is found: it came with its header.
            wanted = (member for member in tar if member.name.lower().endswith(_WANTED_ENDINGS) and not member.isdir())
            files = [_Found(member, _label_content(member, file)) for member in wanted]
            end = tar.offset
    except _TAR_ERRORS as error:
        raise ManifestError(f"{shard} is no tar file, or a damaged one ({' '.join(str(error).split())})") from error
    file.seek(end)
    # tarfile takes a header that it cannot read for the end, and the first end of several tars in a row for the last.
    if file.read(_MOST_PADDING_BYTES).strip(b"\0"):
        raise ManifestError(f"{shard} is damaged, or several tars in one: what follows byte {end} is no header")
    for member, _ in files:
        _require_content(shard, member, size)
    return files


def _require_content(shard: object, member: tarfile.TarInfo, size: int) -> None:
    """Raise ManifestError for a member whose bytes do not stand in the shard in one piece."""
    if not member.isreg():
        raise ManifestError(
            f"{shard}: {member.name!r} is a link, no file of its own; write the tar anew with --dereference "
            "--hard-dereference"
        )
    if member.issparse():
        raise ManifestError(f"{shard}: {member.name!r} is a sparse file; write the tar anew without --sparse")
    if member.size < 0 or member.offset_data + member.size > size:
        raise ManifestError(f"{shard} is cut short: {member.name!r} goes past its {size} bytes")


def _label_content(member: tarfile.TarInfo, file: "_RangedFile") -> bytes | None:
    is_label = member.isreg() and member.name.lower().endswith(_LABEL_ENDINGS)
    if not is_label or not 0 <= member.size <= _MOST_LABEL_BYTES:
        return None
    file.seek(member.offset_data)
    return file.read(member.size)


def _video_of(shard: object, group: dict[str, _Found]) -> ShardVideo | None:
    """The video of a key, or else its image; with the label that `.cls` or `.json` beside it has."""
    for suffixes in (VIDEO_SUFFIXES, IMAGE_SUFFIXES):
        found = [member for ending, (member, _) in group.items() if f".{ending}".endswith(suffixes)]
        if len(found) > 1:
            raise ManifestError(f"{shard} holds {found[0].name!r} and {found[1].name!r}; a key has one video")
        if found:
            labels = [_label(shard, *group[ending[1:]]) for ending in _LABEL_ENDINGS if ending[1:] in group]
            label = next((label for label in labels if label is not None), None)
            return ShardVideo(found[0].name, found[0].offset_data, found[0].size, label)
    return None


def _label(shard: object, member: tarfile.TarInfo, content: bytes | None) -> int | None:
    """An integer in text, or JSON's `label`; None where JSON has none that is an integer (captions, names)."""
    try:
        if member.name.lower().endswith(".cls"):
            return int(content or b"")
        parsed = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        raise ManifestError(f"{shard}: {member.name!r} holds no label that can be read ({words})") from error
    label = parsed.get("label") if isinstance(parsed, dict) else None
    return label if isinstance(label, int) and not isinstance(label, bool) else None


class _RangedFile(io.RawIOBase):
    """A file to read and to seek in, of which a few blocks are asked for and kept."""

    def __init__(self, read: ReadRange, size: int) -> None:
        self._read, self._size, self._position = read, size, 0
        self._block, self._block_start = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"seek to {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        if wanted > _MOST_READ_BYTES:  # nothing but a header that lies asks for so much
            raise ValueError(f"a header of {wanted} bytes")
        first = self._position - self._block_start
        if not 0 <= first <= first + wanted <= len(self._block):
            self._block_start, first = self._position, 0
            self._block = self._read(self._position, min(max(wanted, _BLOCK_BYTES), left)) if wanted else b""
        self._position += wanted
        return self._block[first : first + wanted]
