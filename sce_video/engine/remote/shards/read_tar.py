"""Names, offsets and labels of the videos in a tar file, read from its headers and its label members only."""

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sce_video.clips.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from sce_video.engine.remote.shards.headers import BLOCK_BYTES, HeaderError, TarMember, TarMembers
from sce_video.errors import ManifestError
from sce_video.plain_text import whole_number

ReadRange = Callable[[int, int], bytes]  # (start, length) -> so many bytes

# Per request: a header with the labels before it and the next header, so that a video costs one request.
_BLOCK_BYTES = 64 * 1024
_MOST_LABEL_BYTES = 2**20
_MOST_READ_BYTES = 4 * 2**20
# As in WebDataset: the key of a name ends at the first dot of its last part.
_KEY_AND_ENDING = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_LABEL_ENDINGS = (".cls", ".json")
_WANTED_ENDINGS = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *_LABEL_ENDINGS)
# Zeros after the last member fill tar's record, usually of 10 KiB.
_MOST_PADDING_BYTES = 20 * 512
# Longer text under "label" in JSON is a caption, not a class name.
_MOST_NAME_CHARACTERS = 200

_MOST_SHOWN = 300  # characters of a name, in messages

Label = int | str | None


class ShardVideo(NamedTuple):
    """Name, offset and length in bytes, and label (a number, a class name or None) of one video."""

    name: str
    start: int
    length: int
    label: Label


def read_tar(shard: object, read: ReadRange, size: int) -> list[ShardVideo]:
    """The videos of a shard in the order of their files.

    Args:
        shard: its name, for messages.
        size: of the shard, bytes.
    Raises:
        ManifestError: compressed, damaged or not a tar file, implausible headers; links, sparse files; a key
            with two videos; an invalid label.
    """
    file = _RangedFile(read, size)
    for magic, kind in _COMPRESSED.items():
        if file.read(len(magic)) == magic:
            raise ManifestError(
                f"{shard} is compressed ({kind}), which allows no random access; unpack it to a plain tar"
            )
        file.seek(0)
    groups: dict[str, dict[str, _Found]] = {}
    for found in _files_in(shard, file, size):
        parts = _KEY_AND_ENDING.fullmatch(found.name.removeprefix("./"))
        if parts is None:  # a hidden file
            continue
        group, ending = groups.setdefault(parts[1], {}), parts[2].lower()
        if ending in group:
            raise ManifestError(f"{shard} holds {_shown(found.name)} twice")
        group[ending] = found
    videos = [video for group in groups.values() if (video := _video_of(shard, group)) is not None]
    return sorted(videos, key=lambda video: video.start)


class _Found(NamedTuple):
    """A file in a tar; if it is a label file, its label or what is wrong with it."""

    name: str
    start: int
    size: int
    label: Label
    fault: str


def _files_in(shard: object, file: "_RangedFile", size: int) -> Iterator[_Found]:
    """The files of a tar that have a known suffix; requires that only zeros follow the last one."""
    members = TarMembers(file)
    try:
        for member in members:
            is_cut = member.is_regular and not member.is_folder and member.start + member.size > size
            if is_cut or members.end >= size + BLOCK_BYTES:  # the last block may lack its padding
                raise ManifestError(f"{shard} is truncated: {_shown(member.name)} extends past its {size} bytes")
            if member.is_folder or not member.name.lower().endswith(_WANTED_ENDINGS):
                continue
            _require_content(shard, member)
            # A label is read at once: it came with the request for its header.
            yield _Found(member.name, member.start, member.size, *_label(member, file))
    except HeaderError as error:
        raise ManifestError(f"{shard} is not a tar file, or is damaged ({error})") from error
    file.seek(members.end)
    if file.read(_MOST_PADDING_BYTES).strip(b"\0"):
        raise ManifestError(f"{shard} is damaged or joins several tars: there is no header at offset {members.end}")


def _require_content(shard: object, member: TarMember) -> None:
    """Raise ManifestError for a member whose bytes are not in the shard in one piece."""
    if not member.is_regular:
        raise ManifestError(
            f"{shard}: {_shown(member.name)} is a link, not a file; recreate the tar with --dereference "
            "--hard-dereference"
        )
    if member.is_sparse:
        raise ManifestError(f"{shard}: {_shown(member.name)} is a sparse file; recreate the tar without --sparse")


def _video_of(shard: object, group: dict[str, _Found]) -> ShardVideo | None:
    """The video of a key, or else its image, with the label in `.cls` or `.json` of the same key."""
    for suffixes in (VIDEO_SUFFIXES, IMAGE_SUFFIXES):
        found = [file for ending, file in group.items() if f".{ending}".endswith(suffixes)]
        if len(found) > 1:
            raise ManifestError(
                f"{shard} holds {_shown(found[0].name)} and {_shown(found[1].name)}; a key has one video"
            )
        if found:
            beside = [group[ending[1:]] for ending in _LABEL_ENDINGS if ending[1:] in group]
            for file in beside:
                if file.fault:
                    raise ManifestError(f"{shard}: {_shown(file.name)} holds no valid label ({file.fault})")
            label = next((file.label for file in beside if file.label is not None), None)
            return ShardVideo(found[0].name, found[0].start, found[0].size, label)
    return None


def _label(member: TarMember, file: "_RangedFile") -> tuple[Label, str]:
    """The label in a `.cls` (an integer) or `.json` (`label`: number, name or none), and what is wrong with it."""
    is_number = member.name.lower().endswith(".cls")
    if not member.name.lower().endswith(_LABEL_ENDINGS):
        return None, ""
    content = b""
    if member.size <= _MOST_LABEL_BYTES:
        file.seek(member.start)
        content = file.read(member.size)
    try:
        if is_number:
            return int(content), ""
        parsed = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        return None, " ".join(str(error).split())[:200]
    return _json_label(parsed.get("label") if isinstance(parsed, dict) else None), ""


def _json_label(label: object) -> Label:
    if isinstance(label, str):
        number = whole_number(label)
        return number if number is not None else label if 0 < len(label) <= _MOST_NAME_CHARACTERS else None
    if isinstance(label, float) and label.is_integer():
        return int(label)
    return label if isinstance(label, int) and not isinstance(label, bool) else None


def _shown(name: str) -> str:
    return repr(name[:_MOST_SHOWN])


class _RangedFile(io.RawIOBase):
    """Seekable file that requests blocks of bytes and keeps the last one."""

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
            raise HeaderError(f"seek to {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        if wanted > _MOST_READ_BYTES:  # only a damaged header has such a size
            raise HeaderError(f"a header has {wanted} bytes")
        first = self._position - self._block_start
        if not 0 <= first <= first + wanted <= len(self._block):
            self._block_start, first = self._position, 0
            self._block = self._read(self._position, min(max(wanted, _BLOCK_BYTES), left)) if wanted else b""
        self._position += wanted
        return self._block[first : first + wanted]
