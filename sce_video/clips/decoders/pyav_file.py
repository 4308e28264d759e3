"""Opening a file with PyAV, and its packets and frames in the order of play, on one clock."""

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
from sce_video.clips.decoders.h264 import length_bytes, says_more

# Not to find out by decoding what is known: nothing decodes while the file is opened, which reads its least of bytes.
_FIND_OUT_NOTHING = {"codec_whitelist": "none", "probesize": "32"}

# Titles need not be UTF-8; from PyAV 19 on that is no error any more, and there is nothing to be set.
ANY_TITLE: dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}

# Packets are kept for the clips that hang on one key frame, up to this; past it the file is decoded from its start.
_MOST_KEPT_BYTES = 2**28
# A frame may come out this many packets after its own (H.264 and HEVC keep at most 16 frames back).
_MAX_REORDERED = 16

# As ffmpeg's own program has it (dts_delta_threshold): in formats made to be joined a step back by more than the one or
# ahead by more than the other begins another clock. Smaller ones are stamps that are wrong, and stills.
_MOST_BACK_SECONDS = Fraction(1, 10)
_MOST_AHEAD_SECONDS = 10
_USUAL_INTERVAL = Fraction(1, 25)
_MAY_BE_JOINED = 0x0200  # AVFMT_TS_DISCONT

StampedFrame = tuple[int | None, av.video.frame.VideoFrame]  # begins at so many ticks of the stream's time base


def open_stream(
    path: str, *, is_plain_mp4: bool = False
) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
    """Open a local file and its main video stream, to be decoded in one thread.

    Args:
        is_plain_mp4: its header says all that FFmpeg finds out of other files by decoding a little; the size in the
            codec context is then the container's word only.
    Raises:
        DecodeError: no video stream, or one whose codec PyAV does not know.
        av.error.FFmpegError, ValueError: not a video that PyAV can open.
    """
    # "file:" keeps a name such as "a:b.mp4" from being read as a protocol.
    name = f"file:{path}"
    container = (
        av.open(name, format="mp4", container_options=_FIND_OUT_NOTHING, **ANY_TITLE)
        if is_plain_mp4
        else av.open(name, **ANY_TITLE)
    )
    if container.format.name == "tty":  # which makes pictures of any text whose name ends as one
        container.close()
        raise DecodeError(f"{path}: not a video: text")
    stream = container.streams.best("video")
    if not isinstance(stream, av.video.stream.VideoStream):
        container.close()
        raise DecodeError(f"{path}: has no video stream")
    if stream.codec_context is None:
        container.close()
        raise DecodeError(f"{path}: no decoder for its codec in this PyAV")
    # "AUTO" can hang for good on a damaged frame, and the workers already fill the cores.
    stream.codec_context.thread_type = "SLICE"
    stream.codec_context.thread_count = 1
    return container, stream


def is_row_of_slots(container: av.container.InputContainer) -> bool:
    """Whether it is an AVI, whose packets have a slot in a row (their dts) and no time at which they are shown."""
    return container.format.name == "avi"


def stamped_frames(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    *,
    read: Iterable[av.packet.Packet] = (),
) -> Iterator[StampedFrame]:
    """Decode the packets already `read`, and what comes next in the file, in the order in which the video plays.

    An AVI keeps no presentation times, and those guessed from its B-frames are out of order. It is a row of slots
    of one length, some of them empty: the n-th frame is shown from the slot of the n-th packet on.
    Where the clock of a transport stream starts again, the frames begin as if it had gone on.
    """
    has_slots = is_row_of_slots(container)
    clock = steady_clock(container, stream)
    slots: list[int | None] = []
    num_frames = 0
    end = av.packet.Packet()  # brings out what the decoder holds back, and tells those frames their unit of time
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
    """The stream's packets that follow in the file; none is empty."""
    with suppress(IndexError):  # PyAV's own, at the end of a file in which further streams begin on the way
        for packet in container.demux(stream):
            if packet.size > 0:
                yield packet


def packets_until(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, last: int
) -> list[av.packet.Packet] | None:
    """The stream's packets that follow, up to all that is shown by tick `last`; None: too many to be kept."""
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
    """What all frames of a video have in common: when time begins, and how frames are sized and turned.

    `begin` is in ticks of the `time_base`, None if the file has no times; `rotation` in degrees counterclockwise.
    """

    begin: int | None
    time_base: Fraction
    height: int
    width: int
    rotation: int


def decoded_first_frame(stamped: StampedFrame) -> FirstFrame:
    """Of any file, from its first frame itself."""
    begin, frame = stamped
    assert frame.time_base is not None  # only frames made by hand have none
    return FirstFrame(begin, frame.time_base, frame.height, frame.width, frame.rotation)


def said_first_frame(
    packet: av.packet.Packet, stream: av.video.stream.VideoStream, *, size: tuple[int, int]
) -> FirstFrame | None:
    """Of a plain mp4 with frames of that `plain_mp4_size`, by its first packet; None if that cannot tell."""
    extradata = stream.codec_context.extradata
    if (
        stream.time_base is None
        or not _is_shown_first(packet)
        or says_more(bytes(packet), length_bytes=length_bytes(extradata))
    ):
        return None
    return FirstFrame(packet.pts, stream.time_base, *size, 0)


def _is_shown_first(packet: av.packet.Packet) -> bool:
    is_sound = packet.size > 0 and packet.is_keyframe and not packet.is_corrupt and not packet.is_discard
    return is_sound and packet.pts is not None and packet.pts == packet.dts


class SteadyClock:
    """Called with when each frame begins, in the order of play, it tells when that is if one clock had gone on.

    The first frame of another clock comes as long after the one before it as that one after its own predecessor.

    Args:
        interval: between two frames, in seconds, until two of them tell.
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
        """Whether one clock can go on by so much from one frame to the next."""
        return -self._most_back <= ticks <= self._most_ahead


def steady_clock(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> SteadyClock | None:
    """For a file of a kind that may be joined byte by byte (MPEG's streams, Ogg); None for all others."""
    if not container.format.flags & _MAY_BE_JOINED or not stream.time_base:
        return None
    fps = stream.average_rate
    return SteadyClock(time_base=stream.time_base, interval=1 / fps if fps else _USUAL_INTERVAL)


def in_order_of_play(stamps: Iterable[tuple[int, int]], clock: SteadyClock) -> list[int]:
    """When the frames of some packets begin, each once, on that clock.

    Args:
        stamps: of each packet, in the order of the file, when it is shown and when it is decoded.
    """
    runs: list[set[int]] = [set()]  # each on one clock, so that to sort it is right
    last = None
    for shown, decoded in stamps:
        if last is not None and not clock.is_step(decoded - last):
            runs.append(set())
        runs[-1].add(shown)
        last = decoded
    return [clock(stamp) for run in runs for stamp in sorted(run)]
