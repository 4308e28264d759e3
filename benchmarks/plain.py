"""Reference for damaged files: the frame on screen at a time, by sequential decoding from the first frame on."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import av
import av.error
import numpy as np
from PIL import Image, ImageOps

from sce_video.clips.decoders import IMAGE_SUFFIXES
from sce_video.clips.decoders.pyav_file import LENIENT_METADATA

_ALL = 10**9

Pixels = np.ndarray  # (H, W, C), RGB, uint8

_PICTURE_ERRORS = (OSError, SyntaxError, ValueError, IndexError, Image.DecompressionBombError)


def plain_frames(
    path: Path,
    times: Sequence[float],
    *,
    fps: float,
    ignore_errors: bool = False,
    rehearsals: Sequence[int] = (),
    held_frames: int = 0,
) -> list[Pixels | None]:
    """The frame on screen at each time; None from the first error on, and where there is none.

    Args:
        fps: for frames without a timestamp.
        ignore_errors: skip packets that raise errors.
        rehearsals: numbers of packets to decode and discard first, with the same decoder.
        held_frames: number of frames kept in memory besides the one on screen.
    """
    if path.is_dir() or path.suffix in IMAGE_SUFFIXES:
        return _plain_images(path, times, fps=fps)
    if not path.is_file():  # opening a FIFO would block
        return [None] * len(times)
    waiting, found = deque(sorted(set(times))), dict[float, av.VideoFrame]()
    first, shown, starts = None, None, 0.0
    held = deque[av.VideoFrame](maxlen=held_frames)
    try:
        for index, (begin, frame) in enumerate(_decoded(path, ignore_errors=ignore_errors, rehearsals=rehearsals)):
            if first is None:
                first, zero = frame, begin
            if zero is None or begin is None or first.time_base is None:
                starts = max(starts, index / fps)
            else:
                starts = max(starts, float((begin - zero) * first.time_base))
            while shown is not None and waiting and waiting[0] < starts:
                found[waiting.popleft()] = shown
            shown = frame
            held.append(frame)
            if not waiting:
                break
        if shown is not None:
            found |= dict.fromkeys(waiting, shown)
    except (av.error.FFmpegError, ValueError):
        pass
    return [_upright(found[second], first) if first and second in found else None for second in times]


def is_defined(path: Path, second: float, *, fps: float, ignore_errors: bool) -> bool:
    """Whether sequential decoding always gives the same frame at this time, and the timestamps never decrease.

    If damage makes a frame begin later than its successor, the frame on screen depends on where decoding starts.
    libavcodec leaves parts of a damaged picture uninitialised or conceals them from such parts: then the result depends
    on how many frames are still referenced and on what was decoded before.
    """
    begins = [begin for begin, _ in _decoded(path, ignore_errors=True, rehearsals=()) if begin is not None]
    if begins != sorted(begins):
        return False
    ways = [((), held_frames) for held_frames in (0, 1, 2, 3, 4, 1000)] + [
        ([_ALL], 0),
        ([_ALL], 1),
        ([_ALL, _ALL], 0),
        ([1], 0),
        ([4], 0),
        ([8], 1),
    ]
    images = [
        plain_frames(path, [second], fps=fps, ignore_errors=ignore_errors, rehearsals=rehearsals, held_frames=held)[0]
        for rehearsals, held in ways
    ]
    first, *others = images
    return first is not None and all(other is not None and np.array_equal(other, first) for other in others)


def _decoded(
    path: Path, *, ignore_errors: bool, rehearsals: Sequence[int]
) -> Iterator[tuple[int | None, av.VideoFrame]]:
    """(timestamp, frame) of each frame; in AVI the timestamp is that of the packet with the frame's index."""
    with av.open(f"file:{path}", **LENIENT_METADATA) as container:
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            return
        stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", 1
        packets: Iterable[av.Packet] = _packets(container, stream)
        if rehearsals:
            packets = list(packets)
        for num_packets in rehearsals:
            for packet in islice(packets, num_packets):
                with suppress(av.error.FFmpegError):
                    packet.decode()
            stream.codec_context.flush_buffers()
        packet_times, num_frames = [], 0
        for packet in packets:
            packet_times += [packet.dts] if packet.size else []
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                if not ignore_errors:
                    raise
                continue
            for frame in frames:
                begin = frame.pts
                if container.format.name == "avi":
                    begin = packet_times[min(num_frames, len(packet_times) - 1)]
                num_frames += 1
                yield begin, frame


def _packets(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Iterator[av.Packet]:
    """All packets, followed by an empty one, which flushes the decoder."""
    with suppress(IndexError):  # PyAV raises it instead of yielding the empty packet if streams appear midway
        yield from container.demux(stream)
        return
    end = av.Packet()
    end.stream = stream
    if stream.time_base is not None:
        end.time_base = stream.time_base
    yield end


def _upright(frame: av.VideoFrame, first: av.VideoFrame) -> Pixels:
    pixels = frame.reformat(first.width, first.height, "rgb24").to_ndarray()
    return np.rot90(pixels, first.rotation // 90 if first.rotation % 90 == 0 else 0)


def _plain_images(path: Path, times: Sequence[float], *, fps: float) -> list[Pixels | None]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    images: list[Pixels | None] = []
    for second in times:
        images.append(None)
        with suppress(*_PICTURE_ERRORS), Image.open(files[min(int(second * fps), len(files) - 1)]) as image:
            images[-1] = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    return images
