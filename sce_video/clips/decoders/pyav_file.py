"""Opening a file with PyAV, and what to believe about its length when the header is silent or wrong."""

import os
import re
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

from sce_video.clips.decoders.base import DecodeError, even_timing, is_consistent

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
    """
    has_places = is_row_of_places(container)
    places: list[int | None] = []
    num_frames = 0
    end = av.packet.Packet()  # brings out what the decoder holds back, and tells those frames their unit of time
    end.time_base = stream.time_base or Fraction(0, 1)
    for packet in chain(read, packets_of(container, stream), [end]):
        if packet.size > 0:
            places.append(packet.dts)
        for frame in stream.decode(packet):
            yield places[min(num_frames, len(places) - 1)] if has_places else frame.pts, frame
            num_frames += 1


def packets_of(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Iterator[av.packet.Packet]:
    """The stream's packets that follow in the file; none is empty."""
    with suppress(IndexError):  # PyAV's own, at the end of a file in which further streams begin on the way
        for packet in container.demux(stream):
            if packet.size > 0:
                yield packet


def video_timing(
    path: str, container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> tuple[float, float, int]:
    """Duration in seconds, frames per second, number of frames: all positive and consistent.

    The header's, where its numbers fit together; else from the packets, which costs a second opening and one pass
    over the file without decoding, a few milliseconds.
    """
    if stream.duration and stream.time_base:
        duration = float(stream.duration * stream.time_base)
    else:
        # What mkv, webm and flv call duration is the time of their end; the video may begin later than at 0.
        duration = _end_seconds(container, stream) - float((stream.start_time or 0) * (stream.time_base or 0))
    fps = float(stream.average_rate or 0)
    num_frames = stream.frames or max(round(duration * fps), 1)  # mkv, webm, flv and ts do not count
    # An MPEG program stream holds no length; what FFmpeg guesses from its bit rate can be a second off.
    is_guessed = container.format.name == "mpeg"
    if is_consistent(duration, fps, num_frames) and not is_guessed and not _is_cut_short(path, stream):
        return duration, fps, num_frames
    return _packet_timing(path)


def _end_seconds(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float:
    """By the tag that FFmpeg and mkvmerge write for each stream, else that of the longest, which may be the audio."""
    tag = re.fullmatch(r"([0-9]+):([0-9]+):([0-9]+\.?[0-9]*)", stream.metadata.get("DURATION", ""))
    if tag is None:
        return (container.duration or 0) / av.time_base
    hours, minutes, seconds = map(float, tag.groups())
    return hours * 3600 + minutes * 60 + seconds


def _is_cut_short(path: str, stream: av.video.stream.VideoStream) -> bool:
    """Whether the container's index, where it is in front, lists frames beyond the end of the file."""
    index = stream.index_entries
    return len(index) > 0 and index[-1].pos + index[-1].size > os.path.getsize(path)


def _packet_timing(path: str) -> tuple[float, float, int]:
    container, stream = open_stream(path)
    with container:
        # Discarded packets are decoded but not shown (edit lists); two packets can share one shown frame (VP9).
        time_base = stream.time_base  # a stream whose file is closed tells anything
        stamps: list[int | None] = []  # never the packets, which are the whole file
        with suppress(av.error.FFmpegError):  # damage: what comes before it counts
            for packet in packets_of(container, stream):
                if not packet.is_discard:
                    stamps.append(packet.dts if packet.pts is None else packet.pts)
    known = {stamp for stamp in stamps if stamp is not None}
    if not known or time_base is None:
        return even_timing(max(len(stamps), 1), 0.0)
    return even_timing(len(known), float((max(known) - min(known)) * time_base))
