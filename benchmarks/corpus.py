"""Damaged copies of real files: file i of a corpus is a function of (seed, i) and the source files.

The recipe of a file is one line that describes the damage; `write_damaged` with the same seed and number repeats it.
"""

import io
import os
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from elements import Element, elements_of, stretch
from PIL import Image

from sce_video.errors import UserError

Damage = Callable[[bytearray, random.Random], str]  # changes the content in place and returns a description

# Extreme values for sizes and counts in headers: zero, all bits set, the largest signed and unsigned numbers.
_EXTREMES = (0, 1, 7, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_LARGEST_SOURCE_BYTES = 600_000  # larger ones take seconds to decode once


class Damaged(NamedTuple):
    path: Path
    kind: str
    recipe: str
    source: Path | None = None  # the undamaged file


def find_sources(data: Path) -> list[Path]:
    """The small files of the shared data: all odd ones, originals, and some of J-HMDB.

    Raises:
        UserError: there are none.
    """
    odd = sorted(path for path in (data / "odd").glob("*") if path.suffix != ".tsv")
    originals = sorted((data / "originals").rglob("*.avi"))[::3] + sorted((data / "originals").rglob("*.mp4"))
    found = [*odd, *originals, *sorted((data / "jhmdb" / "videos").rglob("*.mp4"))[::20]]
    small = [path for path in found if 0 < path.stat().st_size <= _LARGEST_SOURCE_BYTES]
    if not small:
        raise UserError(f"{data}: no such folder, or no video in it; give the folder of the shared data")
    return small


def write_damaged(folder: Path, sources: Sequence[Path], *, seed: int, number: int) -> Damaged:
    """Write file `number` of corpus `seed` into a folder."""
    draw = random.Random(f"damage {seed} {number}")
    kinds = [*_DAMAGES, *_NO_VIDEOS]
    kind = kinds[number % len(kinds)]
    path = folder / f"{seed}_{number}_{kind}"
    if kind in _NO_VIDEOS:
        path, recipe = _NO_VIDEOS[kind](path, draw)
        return Damaged(path, kind, recipe)
    source = draw.choice(sources)
    content = bytearray(source.read_bytes())
    recipe = f"{source.name}: {_DAMAGES[kind](content, draw)}"
    path = path.with_suffix(source.suffix)
    path.write_bytes(content)
    return Damaged(path, kind, recipe, source)


def _flip(content: bytearray, draw: random.Random, begin: int, end: int, count: int) -> str:
    bits = sorted(draw.randrange(8 * begin, 8 * end) for _ in range(count)) if end > begin else []
    for bit in bits:
        content[bit // 8] ^= 1 << bit % 8
    first = ", ".join(f"{bit // 8}.{bit % 8}" for bit in bits[:8])
    return f"{len(bits)} bits flipped at {first}{', ...' if len(bits) > 8 else ''}"


def _one_bit(content: bytearray, draw: random.Random) -> str:
    return _flip(content, draw, 0, len(content), 1)


def _many_bits(content: bytearray, draw: random.Random) -> str:
    return _flip(content, draw, 0, len(content), 1 + int(8 * len(content) * 10 ** draw.uniform(-6, -2.5)))


def _bits_of(part: str, most: int) -> Damage:
    def damage(content: bytearray, draw: random.Random) -> str:
        return f"{part}: " + _flip(content, draw, *stretch(bytes(content), part), draw.randint(1, most))

    return damage


def _truncated(content: bytearray, draw: random.Random) -> str:
    length = draw.randrange(len(content))
    del content[length:]
    return f"cut off after {length} bytes"


def _some_stretch(content: bytearray, draw: random.Random) -> tuple[int, int]:
    """A random range of bytes, of log-uniform length up to half of the file."""
    length = min(int(2 ** draw.uniform(0, 20)), max(len(content) // 2, 1))
    begin = draw.randrange(len(content) - length + 1)
    return begin, begin + length


def _zeroed(content: bytearray, draw: random.Random) -> str:
    begin, end = _some_stretch(content, draw)
    content[begin:end] = bytes(end - begin)
    return f"bytes {begin} to {end} are 0"


def _overwritten(content: bytearray, draw: random.Random) -> str:
    begin, end = _some_stretch(content, draw)
    content[begin:end] = draw.randbytes(end - begin)
    return f"bytes {begin} to {end} are random"


def _missing(content: bytearray, draw: random.Random) -> str:
    begin, end = _some_stretch(content, draw)
    del content[begin:end]
    return f"bytes {begin} to {end} are missing"


def _repeated(content: bytearray, draw: random.Random) -> str:
    begin, end = _some_stretch(content, draw)
    content[end:end] = content[begin:end]
    return f"bytes {begin} to {end} are repeated"


def _some_element(content: bytearray, draw: random.Random) -> Element | None:
    """A random element; all kinds are equally likely, however often they occur."""
    elements = elements_of(bytes(content))
    if not elements:
        return None
    name = draw.choice(sorted({element.name for element in elements}))
    return draw.choice([element for element in elements if element.name == name])


def _size(content: bytearray, draw: random.Random) -> str:
    element = _some_element(content, draw)
    if element is None:
        return _bits_of("header", 4)(content, draw)
    value = draw.choice([*_EXTREMES, element.stop - element.start + draw.randint(-9, 9), draw.randrange(2**32)])
    raw = max(value, 0).to_bytes(8, "little" if content[:4] == b"RIFF" else "big")
    field = slice(element.size_at, element.size_at + element.size_bytes)
    content[field] = raw[:4] if content[:4] == b"RIFF" else raw[8 - element.size_bytes :]
    return f"size of {element.name!r} at {element.size_at} is {value}"


def _field(content: bytearray, draw: random.Random) -> str:
    """Replace a number in a leaf of the header by an extreme one."""
    leaves = [
        element
        for element in elements_of(bytes(content))
        if element.body < element.stop and element.name not in (b"mdat", b"movi", b"00dc", b"01wb", b"\xa3", b"\xa1")
    ]
    if not leaves:
        return _bits_of("header", 4)(content, draw)
    name = draw.choice(sorted({leaf.name for leaf in leaves}))
    leaf = draw.choice([leaf for leaf in leaves if leaf.name == name])
    width = min(draw.choice([1, 2, 4, 4, 4]), leaf.stop - leaf.body)
    begin = leaf.body + width * draw.randrange(min(leaf.stop - leaf.body, 400) // width)
    value = draw.choice([*_EXTREMES, draw.randrange(2**32)]) % 256**width
    content[begin : begin + width] = value.to_bytes(width, draw.choice(["big", "little"]))
    return f"{name!r}: {width} bytes at {begin} (its {begin - leaf.body}th) are {value:#x}"


def _renamed(content: bytearray, draw: random.Random) -> str:
    element = _some_element(content, draw)
    if element is None:
        return _bits_of("header", 4)(content, draw)
    content[element.start : element.size_at] = draw.randbytes(element.size_at - element.start)
    if element.size_at == element.start:  # mp4: the name follows the size
        content[element.start + 4 : element.start + 8] = draw.choice([b"free", b"stts", b"mdat", draw.randbytes(4)])
    return f"{element.name!r} at {element.start} has another name"


def _element_missing(content: bytearray, draw: random.Random) -> str:
    element = _some_element(content, draw)
    if element is None:
        return _missing(content, draw)
    del content[element.start : element.stop]
    return f"{element.name!r} at {element.start} is missing"


def _element_twice(content: bytearray, draw: random.Random) -> str:
    element = _some_element(content, draw)
    if element is None:
        return _repeated(content, draw)
    content[element.stop : element.stop] = content[element.start : element.stop]
    return f"{element.name!r} at {element.start} is repeated"


def _not_a_video(path: Path, draw: random.Random) -> tuple[Path, str]:
    picture = io.BytesIO()
    Image.frombytes("RGB", (16, 16), draw.randbytes(768)).save(picture, "PNG")
    contents = {
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n" * 40,
        "empty": b"",
        "random bytes": draw.randbytes(draw.randrange(1, 40_000)),
        "zeros": bytes(draw.randrange(1, 40_000)),
        "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://localhost:9/a.ts\n",
        "a playlist of files": b"ffconcat version 1.0\nfile /etc/passwd\nfile /dev/zero\n",
        "a picture": picture.getvalue(),
        "a text": b'{"status": 404}\n',
        "a script for subtitles": b"1\n00:00:00,000 --> 00:00:02,000\nhello\n",
        "random bytes after ftyp": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + draw.randbytes(5000),
        "random bytes after EBML": bytes.fromhex("1a45dfa3") + draw.randbytes(5000),
        "random bytes after RIFF": b"RIFF\xff\xff\0\0AVI LIST" + draw.randbytes(5000),
    }
    name = draw.choice(sorted(contents))
    path = path.with_suffix(draw.choice([".mp4", ".avi", ".webm", ".mkv"]))
    path.write_bytes(contents[name])
    return path, f"{name}, named {path.suffix}"


def _no_file(path: Path, draw: random.Random) -> tuple[Path, str]:
    path = path.with_suffix(".mp4")
    makers: dict[str, Callable[[], object]] = {
        "a link to itself": lambda: path.symlink_to(path),
        "a link to nothing": lambda: path.symlink_to(path.with_suffix(".gone")),
        "a link to /dev/zero": lambda: path.symlink_to("/dev/zero"),
        "a FIFO": lambda: os.mkfifo(path),
        "an empty folder": path.mkdir,
        "missing": lambda: None,
    }
    if os.geteuid() != 0:  # to root every file is readable
        makers["a file that may not be read"] = lambda: _write_unreadable(path)
    name = draw.choice(sorted(makers))
    makers[name]()
    return path, name


def _write_unreadable(path: Path) -> None:
    path.write_bytes(b"\0" * 99)
    path.chmod(0)


def _picture(path: Path, draw: random.Random) -> tuple[Path, str]:
    """One damaged picture, or a folder of pictures of which one is damaged."""
    suffix = draw.choice([".jpg", ".png", ".webp", ".bmp", ".tif"])
    sound = io.BytesIO()
    small = Image.frombytes("RGB", (8, 6), draw.randbytes(144)).resize((64, 48))
    small.save(sound, Image.registered_extensions()[suffix])
    content = bytearray(sound.getvalue())
    how = draw.choice([_one_bit, _many_bits, _truncated, _zeroed, _overwritten, _missing, _bomb])
    recipe = f"{suffix}: {how(content, draw)}"
    if draw.random() < 0.5:
        path = path.with_suffix(suffix)
        path.write_bytes(content)
        return path, recipe
    path.mkdir()
    for index in range(10):
        (path / f"{index}{suffix}").write_bytes(content if index == 5 else sound.getvalue())
    return path, f"5th of a folder of {recipe}"


def _bomb(content: bytearray, draw: random.Random) -> str:
    """A PNG of 65535 x 65535 pixels, if one believes its header."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    content[:] = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + struct.pack(">I", zlib.crc32(header)) + draw.randbytes(99)
    return "a PNG of 65535 x 65535 pixels"


_DAMAGES: dict[str, Damage] = {
    "one_bit": _one_bit,
    "many_bits": _many_bits,
    "header_bits": _bits_of("header", 20),
    "index_bits": _bits_of("index", 20),
    "payload_bits": _bits_of("payload", 200),
    "truncated": _truncated,
    "zeroed": _zeroed,
    "overwritten": _overwritten,
    "missing": _missing,
    "repeated": _repeated,
    "size": _size,
    "field": _field,
    "field_again": _field,
    "renamed": _renamed,
    "element_missing": _element_missing,
    "element_twice": _element_twice,
}
_NO_VIDEOS: dict[str, Callable[[Path, random.Random], tuple[Path, str]]] = {
    "not_a_video": _not_a_video,
    "no_file": _no_file,
    "picture": _picture,
}
