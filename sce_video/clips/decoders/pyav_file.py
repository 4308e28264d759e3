"""Files opened with PyAV, and their packets and frames in playback order on a continuous clock."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

import av
import av.container
import av.error
import av.packet
import av.video.frame
import av.video.stream

from sce_video.clips.decoders.base import DecodeError
from sce_video.clips.decoders.h264 import length_bytes, may_change_geometry

# Options to open a file without probing: decode nothing, read as few bytes as possible.
_NO_PROBING = {"codec_whitelist": "none", "probesize": "32"}

# Titles need not be UTF-8; from PyAV 19 on that is not an error, and the option is gone.
LENIENT_METADATA: dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}

# Packets kept in memory for one window of frames; if there are more, the file is decoded from the start.
_MOST_KEPT_BYTES = 2**28
# Packets by which a frame may be output late (H.264 and HEVC hold back at most 16 frames).
_MAX_REORDERED = 16

# As in ffmpeg (dts_delta_threshold): in formats that can be concatenated, a larger step back or ahead starts a new
# clock. Smaller steps are wrong timestamps or still pictures.
_MOST_BACK_SECONDS = Fraction(1, 10)
_MOST_AHEAD_SECONDS = 10
_USUAL_INTERVAL = Fraction(1, 25)
_CAN_BE_CONCATENATED = 0x0200  # AVFMT_TS_DISCONT

StampedFrame = tuple[int | None, av.video.frame.VideoFrame]  # (start in ticks of the stream's time base, frame)


def open_stream(
    path: str, *, is_plain_mp4: bool = False
) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
    """Open a local file and its main video stream, to be decoded in one thread.

    Args:
        is_plain_mp4: see `plain_mp4_size`; its header is complete, so that nothing is probed by decoding. The size in
            the codec context is then the container's.
    Raises:
        DecodeError: no video stream, or one whose codec PyAV does not know.
        av.error.FFmpegError, ValueError: not a video that PyAV can open.
    """
    # "file:" keeps a name such as "a:b.mp4" from being read as a protocol.
    name = f"file:{path}"
    container = (
        av.open(name, format="mp4", container_options=_NO_PROBING, **LENIENT_METADATA)
        if is_plain_mp4
        else av.open(name, **LENIENT_METADATA)
    )
    if container.format.name == "tty":  # which renders text files as videos
        container.close()
        raise DecodeError(f"{path}: not a video: text")
    stream = container.streams.best("video")
    if not isinstance(stream, av.video.stream.VideoStream):
        container.close()
        raise DecodeError(f"{path}: has no video stream")
    if stream.codec_context is None:
        container.close()
        raise DecodeError(f"{path}: no decoder for its codec in this PyAV")
    # "AUTO" can hang forever on a damaged frame, and the workers already fill the cores.
    stream.codec_context.thread_type = "SLICE"
    stream.codec_context.thread_count = 1
    return container, stream


def lacks_presentation_times(container: av.container.InputContainer) -> bool:
    """Whether the container is AVI, whose packets have only a slot in a sequence (their dts)."""
    return container.format.name == "avi"


def stamped_frames(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    *,
    read: Iterable[av.packet.Packet] = (),
) -> Iterator[StampedFrame]:
    """Decode the packets already `read` and the rest of the file, in playback order.

    AVI has no presentation times, and those that FFmpeg guesses with B-frames are out of order. It is a sequence of
    slots of equal length, some of them empty: the n-th frame starts at the slot of the n-th packet.
    Where the clock of a transport stream restarts, it is continued.
    """
    has_slots = lacks_presentation_times(container)
    clock = continuous_clock(container, stream)
    slots: list[int | None] = []
    num_frames = 0
    end = av.packet.Packet()  # flushes the decoder; the flushed frames take its time base
    end.time_base = stream.time_base or Fraction(0, 1)
    for packet in chain(read, packets_of(container, stream), [end]):
        if packet.size > 0:
            slots.append(packet.dts)
        for frame in stream.decode(packet):
            begin = slots[min(num_frames, len(slots) - 1)] if has_slots else frame.pts
            yield begin if clock is None or begin is None else clock(begin), frame
            num_frames += 1


def packets_of(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Iterator[av.packet.Packet]:
    """The stream's remaining packets in the file, without empty ones."""
    with suppress(IndexError):  # PyAV's, at the end of a file in which further streams begin on the way
        for packet in container.demux(stream):
            if packet.size > 0:
                yield packet


def packets_until(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, last: int
) -> list[av.packet.Packet] | None:
    """The stream's remaining packets up to all shown by tick `last`; None: too many to keep."""
    packets: list[av.packet.Packet] = []
    num_later = num_bytes = 0
    for packet in packets_of(container, stream):
        packets.append(packet)
        num_bytes += packet.size
        if num_bytes > _MOST_KEPT_BYTES:
            return None
        num_later = num_later + 1 if packet.pts is not None and packet.pts > last else 0
        if (packet.dts is not None and packet.dts > last) or num_later > _MAX_REORDERED:
            break
    return packets


class FirstFrame(NamedTuple):
    """Start time of a video, and size and rotation of its frames.

    `begin` is in ticks of the `time_base`, None if the file has no times; `rotation` in degrees counterclockwise.
    """

    begin: int | None
    time_base: Fraction
    height: int
    width: int
    rotation: int


def decoded_first_frame(stamped: StampedFrame) -> FirstFrame:
    """From the first frame, for any file."""
    begin, frame = stamped
    assert frame.time_base is not None  # only frames made by hand have none
    return FirstFrame(begin, frame.time_base, frame.height, frame.width, frame.rotation)


def undecoded_first_frame(
    packet: av.packet.Packet, stream: av.video.stream.VideoStream, *, size: tuple[int, int]
) -> FirstFrame | None:
    """From the first packet of a plain mp4 with that `plain_mp4_size`; None if the frame must be decoded."""
    extradata = stream.codec_context.extradata
    if (
        stream.time_base is None
        or not _is_shown_first(packet)
        or may_change_geometry(bytes(packet), length_bytes=length_bytes(extradata))
    ):
        return None
    return FirstFrame(packet.pts, stream.time_base, *size, 0)


def _is_shown_first(packet: av.packet.Packet) -> bool:
    is_sound = packet.size > 0 and packet.is_keyframe and not packet.is_corrupt and not packet.is_discard
    return is_sound and packet.pts is not None and packet.pts == packet.dts


class ContinuousClock:
    """Converts the start of each frame, called in playback order, to one clock that never restarts.

    The first frame after a restart follows at the same interval as the frame before it.

    Args:
        interval: between two frames in seconds, until known from two frames.
    """

    def __init__(self, *, time_base: Fraction, interval: Fraction) -> None:
        self._most_back = _MOST_BACK_SECONDS / time_base
        self._most_ahead = _MOST_AHEAD_SECONDS / time_base
        self._interval = max(round(interval / time_base), 1)
        self._offset = 0
        self._last: int | None = None

    def __call__(self, stamp: int) -> int:
        if self._last is not None:
            step = stamp + self._offset - self._last
            if not self.is_step(step):
                self._offset += self._interval - step
            elif step > 0:
                self._interval = step
        self._last = stamp + self._offset
        return self._last

    def is_step(self, ticks: int) -> bool:
        """Whether two frames on one clock can be so far apart."""
        return -self._most_back <= ticks <= self._most_ahead


def continuous_clock(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> ContinuousClock | None:
    """For formats that can be concatenated byte by byte (MPEG's streams, Ogg); None for all others."""
    if not container.format.flags & _CAN_BE_CONCATENATED or not stream.time_base:
        return None
    fps = stream.average_rate
    return ContinuousClock(time_base=stream.time_base, interval=1 / fps if fps else _USUAL_INTERVAL)


def in_playback_order(stamps: Iterable[tuple[int, int]], clock: ContinuousClock) -> list[int]:
    """Distinct starts of the packets' frames on that clock, in playback order.

    Args:
        stamps: (presentation time, decoding time) of each packet, in file order.
    """
    runs: list[set[int]] = [set()]  # each on one clock, so that it can be sorted
    last = None
    for shown, decoded in stamps:
        if last is not None and not clock.is_step(decoded - last):
            runs.append(set())
        runs[-1].add(shown)
        last = decoded
    return [clock(stamp) for run in runs for stamp in sorted(run)]
