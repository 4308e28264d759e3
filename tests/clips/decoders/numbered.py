"""Small real videos whose frames show their numbers as 8 black or white blocks: a reference without a decoder."""

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BLOCK = 16
NUM_BITS = 8


@dataclass(frozen=True)
class NumberedVideo:
    path: Path
    numbers: list[int]  # what the frames show, in playback order
    starts: list[float]  # start of each frame in seconds after the first

    @property
    def ends(self) -> list[float]:
        """End of each frame in seconds; the last is taken to be as long as the first."""
        return [*self.starts[1:], self.starts[-1] + self.starts[1] - self.starts[0]]

    def number_at(self, seconds: float) -> int:
        """The frame on screen, by a slow search that follows the definition."""
        shown = self.numbers[0]
        for start, number in zip(self.starts, self.numbers, strict=True):
            if start <= seconds:
                shown = number
        return shown


def number_image(number: int) -> np.ndarray:
    """(BLOCK * 2, BLOCK * NUM_BITS, 3) uint8, most significant bit to the left."""
    bits = [(number >> bit) & 1 for bit in reversed(range(NUM_BITS))]
    row = np.repeat(np.array(bits, dtype=np.uint8) * 255, BLOCK)
    return np.broadcast_to(row[None, :, None], (2 * BLOCK, row.size, 3)).copy()


def numbers_in(frames) -> list[int]:
    """Frames (T, 3, H, W) -> the number that each shows."""
    rows = frames[:, :, BLOCK, BLOCK // 2 :: BLOCK].float().mean(dim=1)  # (T, NUM_BITS), middles of the blocks
    assert ((rows < 80) | (rows > 175)).all(), "blocks are neither black nor white"
    return ((rows > 127).numpy() @ 2 ** np.arange(NUM_BITS)[::-1]).tolist()


def write_video(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
    fps: Fraction = Fraction(30),
    ticks: Sequence[int] | None = None,  # of 1 / fps; start of each frame
    pixel_format: str = "yuv420p",
    container_options: Mapping[str, str] | None = None,
) -> None:
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        stream = container.add_stream(codec, rate=fps, options=dict(options or {}))
        if "crf" not in (options or {}):
            stream.bit_rate = 2_000_000
        stream.codec_context.time_base = 1 / fps
        for index, image in enumerate(images):
            if index == 0:
                stream.height, stream.width, stream.pix_fmt = *image.shape[:2], pixel_format
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index if ticks is None else ticks[index], 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_numbered(path: Path, *, num_frames: int = 60, stored_tick: Fraction | None = None, **how) -> NumberedVideo:
    """Frames 0, 1, ...; `stored_tick` is the container's unit of time if coarser than the video's."""
    write_video(path, map(number_image, range(num_frames)), **how)
    fps = how.get("fps", Fraction(30))
    begins = [Fraction(tick) / fps for tick in how.get("ticks") or range(num_frames)]
    if stored_tick is not None:
        begins = [round(begin / stored_tick) * stored_tick for begin in begins]
    return NumberedVideo(path, list(range(num_frames)), [float(begin - begins[0]) for begin in begins])


def remux(source: NumberedVideo, path: Path, change: Callable[[av.Packet, int], av.Packet | None]) -> None:
    """Copy the packets of a video to another file; `change` gets each with its index, and returns None to drop it."""
    with av.open(str(source.path)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            changed = change(packet, number) if packet.size else None
            if changed is not None:
                changed.stream = stream
                new.mux(changed)


def all_said_to_be_key_frames(source: NumberedVideo, path: Path) -> NumberedVideo:
    """An index with wrong times."""

    def lie(packet: av.Packet, number: int) -> av.Packet:
        packet.is_keyframe = True
        return packet

    remux(source, path, lie)
    return replace(source, path=path)


def with_invisible_frames(source: NumberedVideo, path: Path, which: set[int]) -> NumberedVideo:
    """VP8 whose frames `which` are decoded but not shown (bit 4), like alternate references."""

    def hide(packet: av.Packet, number: int) -> av.Packet:
        content = bytearray(bytes(packet))
        if number in which:
            content[0] &= ~0x10
        return _with_times_of(packet, bytes(content))

    remux(source, path, hide)
    return _only(source, path, [number for number in source.numbers if number not in which])


def truncated(source: NumberedVideo, path: Path, share: float) -> NumberedVideo:
    """The file without its end, cut between two packets; frames after a missing one may still be there."""
    with av.open(str(source.path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    kept = packets[: round(len(packets) * share)]
    path.write_bytes(source.path.read_bytes()[: packets[len(kept)].pos])
    if packets[0].pts is None or packets[0].pts == packets[0].dts:
        return _only(source, path, source.numbers[: len(kept)])
    in_order = sorted(packet.pts for packet in packets)
    return _only(source, path, sorted(in_order.index(packet.pts) for packet in kept))


def _only(source: NumberedVideo, path: Path, frames: list[int]) -> NumberedVideo:
    begin = source.starts[frames[0]]
    return NumberedVideo(path, [source.numbers[i] for i in frames], [source.starts[i] - begin for i in frames])


def _with_times_of(packet: av.Packet, content: bytes) -> av.Packet:
    changed = av.Packet(content)
    changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
    changed.is_keyframe = packet.is_keyframe
    return changed


def cut_without_reencoding(source: NumberedVideo, path: Path, *, first: int) -> NumberedVideo:
    """From frame `first` on, as `ffmpeg -ss ... -c copy`: from the key frame before it, hidden by an edit list."""
    with av.open(str(source.path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    shown = sorted(packet.pts for packet in packets)
    key = max(packet.pts for packet in packets if packet.is_keyframe and packet.pts <= shown[first])
    begin = next(number for number, packet in enumerate(packets) if packet.pts == key)

    def shift(packet: av.Packet, number: int) -> av.Packet | None:
        packet.pts, packet.dts = packet.pts - shown[first], packet.dts - shown[first]
        return packet if number >= begin else None

    remux(source, path, shift)
    begins = [Fraction(start).limit_denominator(10**6) for start in source.starts[first:]]
    return NumberedVideo(path, source.numbers[first:], [float(begin - begins[0]) for begin in begins])


def with_edit_list(
    source: NumberedVideo, path: Path, edits: Sequence[tuple[int, int]], *, first_pts=0
) -> NumberedVideo:
    """An mp4 whose edit list plays the given runs of frames [start, stop) one after the other."""
    content = source.path.read_bytes()
    rate = round(1 / (source.starts[1] - source.starts[0]))
    movie_scale, media_scale = _scale_of(content, b"mvhd"), _scale_of(content, b"mdhd")
    entries = b"".join(
        struct.pack(">IiI", (stop - start) * movie_scale // rate, first_pts + start * media_scale // rate, 1 << 16)
        for start, stop in edits
    )
    edit_list = _box(b"elst", struct.pack(">II", 0, len(edits)) + entries)
    path.write_bytes(_replaced(content, [b"moov", b"trak", b"edts"], edit_list))
    numbers = [number for start, stop in edits for number in range(start, stop)]
    return NumberedVideo(path, numbers, [i / rate for i in range(len(numbers))])


def packed(source: NumberedVideo, path: Path) -> NumberedVideo:
    """An AVI of MPEG-4 with packed B-frames, as DivX 5 wrote them, from one with single B-frames (I P B P B ...).

    A packet holds a P-frame and the B-frame that is shown before it; the packet after it is an empty placeholder.
    """
    with av.open(str(source.path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    packets = [re.sub(rb"\x00\x00\x01\xb2Lavc[0-9.]+", b"\x00\x00\x01\xb2DivX503b1393p", packet) for packet in packets]
    placeholder = b"\x00\x00\x01\xb6\x50\x8f\xff"  # a P-frame without coded blocks
    is_b = [packet[packet.index(b"\x00\x00\x01\xb6") + 4] >> 6 == 2 for packet in packets]
    merged = []
    for number, packet in enumerate(packets):
        if is_b[number]:
            merged.append(placeholder)
        else:
            has_b = number + 1 < len(packets) and is_b[number + 1]
            merged.append(packet + packets[number + 1] if has_b else packet)
    remux(source, path, lambda packet, number: _with_times_of(packet, merged[number]))
    return replace(source, path=path)


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def _boxes(content: bytes) -> Iterable[tuple[bytes, bytes]]:
    offset = 0
    while offset < len(content):
        size, kind = struct.unpack_from(">I4s", content, offset)
        yield kind, content[offset + 8 : offset + size]
        offset += size


def _replaced(content: bytes, parents: list[bytes], new: bytes) -> bytes:
    """`content`, a sequence of boxes, with `new` as the content of the box at the path `parents`."""
    if not parents:
        return new
    return b"".join(
        _box(kind, _replaced(payload, parents[1:], new) if kind == parents[0] else payload)
        for kind, payload in _boxes(content)
    )


def _scale_of(content: bytes, header: bytes) -> int:
    """Ticks per second, from a version 0 mvhd or mdhd box."""
    offset = content.index(header)
    return struct.unpack_from(">I", content, offset + 16)[0]
