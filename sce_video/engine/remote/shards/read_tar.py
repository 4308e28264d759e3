"""Which videos are in a tar file, and where, from its headers and its small members alone."""

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
# Longer text behind "label" in JSON is a caption, no name of a class.
_MOST_NAME_CHARACTERS = 200

_MOST_SHOWN = 300  # characters of a name, in messages

Label = int | str | None


class ShardVideo(NamedTuple):
    """Name, place and label (a number or a class's name; None: it has none) of one video; start and length in bytes."""

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
        ManifestError: compressed, damaged or no tar, or with headers that no program writes; links, sparse files; a key
            with two videos; a label that is none.
    """
    file = _RangedFile(read, size)
    for magic, kind in _COMPRESSED.items():
        if file.read(len(magic)) == magic:
            raise ManifestError(f"{shard} is compressed ({kind}): no random access; unpack it to a plain tar")
        file.seek(0)
    groups: dict[str, dict[str, _Found]] = {}
    for found in _files_in(shard, file, size):
        parts = _KEY_AND_ENDING.fullmatch(found.name.removeprefix("./"))
        if parts is None:  # hidden
            continue
        group, ending = groups.setdefault(parts[1], {}), parts[2].lower()
        if ending in group:
            raise ManifestError(f"{shard} holds {_shown(found.name)} twice")
        group[ending] = found
    videos = [video for group in groups.values() if (video := _video_of(shard, group)) is not None]
    return sorted(videos, key=lambda video: video.start)


class _Found(NamedTuple):
    """A file in a tar; its label where it may be one, or what is wrong with that."""

    name: str
    start: int
    size: int
    label: Label
    fault: str


def _files_in(shard: object, file: "_RangedFile", size: int) -> Iterator[_Found]:
    """The files of a tar that have a known ending; what is behind the last one must be zeros or nothing."""
    members = TarMembers(file)
    try:
        for member in members:
            is_cut = member.is_regular and not member.is_folder and member.start + member.size > size
            if is_cut or members.end >= size + BLOCK_BYTES:  # the last block may lack its padding
                raise ManifestError(f"{shard} is cut short: {_shown(member.name)} goes past its {size} bytes")
            if member.is_folder or not member.name.lower().endswith(_WANTED_ENDINGS):
                continue
            _require_content(shard, member)
            # A label is read where it is found: it came with its header.
            yield _Found(member.name, member.start, member.size, *_label(member, file))
    except HeaderError as error:
        raise ManifestError(f"{shard} is no tar file, or a damaged one ({error})") from error
    file.seek(members.end)
    if file.read(_MOST_PADDING_BYTES).strip(b"\0"):
        raise ManifestError(f"{shard} is damaged, or several tars in one: what follows byte {members.end} is no header")


def _require_content(shard: object, member: TarMember) -> None:
    """Raise ManifestError for a member whose bytes do not stand in the shard in one piece."""
    if not member.is_regular:
        raise ManifestError(
            f"{shard}: {_shown(member.name)} is a link, no file of its own; write the tar anew with --dereference "
            "--hard-dereference"
        )
    if member.is_sparse:
        raise ManifestError(f"{shard}: {_shown(member.name)} is a sparse file; write the tar anew without --sparse")


def _video_of(shard: object, group: dict[str, _Found]) -> ShardVideo | None:
    """The video of a key, or else its image; with the label that `.cls` or `.json` beside it has."""
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
                    raise ManifestError(f"{shard}: {_shown(file.name)} holds no label that can be read ({file.fault})")
            label = next((file.label for file in beside if file.label is not None), None)
            return ShardVideo(found[0].name, found[0].start, found[0].size, label)
    return None


def _label(member: TarMember, file: "_RangedFile") -> tuple[Label, str]:
    """An integer in text, or JSON's `label`, a number or a name; None where JSON has none. Or what is wrong with it."""
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
            raise HeaderError(f"seek to {base + offset}")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        if wanted > _MOST_READ_BYTES:  # nothing but a header that lies asks for so much
            raise HeaderError(f"a header of {wanted} bytes")
        first = self._position - self._block_start
        if not 0 <= first <= first + wanted <= len(self._block):
            self._block_start, first = self._position, 0
            self._block = self._read(self._position, min(max(wanted, _BLOCK_BYTES), left)) if wanted else b""
        self._position += wanted
        return self._block[first : first + wanted]
