"""Opening a file with PyAV, and its packets and frames in their order."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import av.container
import av.error
import av.packet
import av.video.frame
import av.video.stream

from sce_video.clips.decoders.base import DecodeError
from sce_video.clips.decoders.pyav_clock import steady_clock

# Not to find out by decoding what is known: nothing decodes while the file is opened, which reads its least of bytes.
_FIND_OUT_NOTHING = {"codec_whitelist": "none", "probesize": "32"}

# Titles need not be UTF-8; from PyAV 19 on that is no error any more, and there is nothing to be set.
ANY_TITLE: dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}

PlacedFrame = tuple[int | None, av.video.frame.VideoFrame]  # begins at so many ticks of the stream's time base


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


def is_row_of_places(container: av.container.InputContainer) -> bool:
    """Whether it is an AVI, whose packets have a place in a row (their dts) and no time at which they are shown."""
    return container.format.name == "avi"


def placed_frames(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    *,
    read: Iterable[av.packet.Packet] = (),
) -> Iterator[PlacedFrame]:
    """Decode the packets already `read`, and what comes next in the file, in the order in which the video plays.

    An AVI keeps no presentation times, and those guessed from its B-frames are out of order. It is a row of places
    of one length, some of them empty: the n-th frame is shown from the place of the n-th packet on.
    Where the clock of a transport stream starts again, the frames begin as if it had gone on.
    """
    has_places = is_row_of_places(container)
    clock = steady_clock(container, stream)
    places: list[int | None] = []
    num_frames = 0
    end = av.packet.Packet()  # brings out what the decoder holds back, and tells those frames their unit of time
    end.time_base = stream.time_base or Fraction(0, 1)
    for packet in chain(read, packets_of(container, stream), [end]):
        if packet.size > 0:
            places.append(packet.dts)
        for frame in stream.decode(packet):
            begin = places[min(num_frames, len(places) - 1)] if has_places else frame.pts
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
