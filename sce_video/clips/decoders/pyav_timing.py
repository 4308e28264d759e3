"""How long a video is and how many frames it has: what to believe where the header is silent or wrong."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress

import av
import av.container
import av.error
import av.video.stream

from sce_video.clips.decoders.base import even_timing, is_consistent
from sce_video.clips.decoders.container import is_matroska_cut_short
from sce_video.clips.decoders.pyav_file import (
    in_order_of_play,
    is_row_of_slots,
    open_stream,
    packets_of,
    steady_clock,
)
from sce_video.clips.decoders.transport_stream import refuse_lost_pictures

_MATROSKA = "matroska"  # "webm" is the same reader
_MOST_INTERVALS = 3  # from the beginning of the last frame to the end
_LATEST_TICK = 2**62  # to seek to; FFmpeg counts in 63 bits


def video_timing(
    path: str, container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> tuple[float, float, int]:
    """Duration in seconds, frames per second, number of frames: all positive and consistent.

    The header's, where it says them of the picture itself and its numbers fit together; where it says but the length of
    the whole, the time of the last picture. Else from the packets, which costs a second opening and one pass over the
    file without decoding, a few milliseconds. The container may stand elsewhere in the file afterwards.

    Raises:
        DecodeError: a transport stream whose pictures go on in another stream.
    """
    fps = float(stream.average_rate or 0)
    if container.format.name == "mpegts":
        refuse_lost_pictures(path, stream_id=stream.id)
    # What may be joined of several files, and is read from its start anyway, has no header that knows it all; nor does
    # an flv say of what it is so long, and whether all of it is there.
    is_known = steady_clock(container, stream) is None and container.format.name != "flv"
    if is_known and not _is_cut_short(path, container, stream):
        for duration, num_frames in _said(container, stream, fps):
            if is_consistent(duration, fps, num_frames) and _is_filled(container, stream, duration):
                return duration, fps, num_frames
    return _packet_timing(path)


def _said(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, fps: float
) -> Iterator[tuple[float, int]]:
    """Durations in seconds and numbers of frames that the file's index may mean, the likelier ones first."""
    begin = float((stream.start_time or 0) * (stream.time_base or 0))
    if stream.duration and stream.time_base:
        duration = float(stream.duration * stream.time_base)
        # Fragments are counted by the index of what was found; some files call the time of the last one's end duration.
        num_frames = stream.frames or len(stream.index_entries)
        yield duration, num_frames
        if not stream.frames:
            yield duration - begin, num_frames
    else:
        # What mkv, webm and flv call duration is the time of their end; the video may begin later than at 0.
        duration = _end_seconds(container, stream, fps) - begin
        yield duration, stream.frames or max(round(duration * fps), 1)


def _end_seconds(container: av.container.InputContainer, stream: av.video.stream.VideoStream, fps: float) -> float:
    """By the tag that FFmpeg and mkvmerge write for each stream, or the file's if there is no other stream.

    Else that of the longest stream, which may be the sound, so that the last picture has to be looked at; 0 where that
    cannot be done.
    """
    tag = re.fullmatch(r"([0-9]+):([0-9]+):([0-9]+\.?[0-9]*)", stream.metadata.get("DURATION", ""))
    if tag is not None:
        hours, minutes, seconds = map(float, tag.groups())
        return hours * 3600 + minutes * 60 + seconds
    if len(container.streams) == 1:
        return (container.duration or 0) / av.time_base
    last = _last_start(container, stream) if fps > 0 else None
    return 0.0 if last is None else last + 1 / fps


def _last_start(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float | None:
    """The second at which the last picture begins, by the packets behind the last key frame; None if there are none."""
    if _MATROSKA not in container.format.name or stream.time_base is None:
        return None  # others have no index to find the last key frame by
    try:
        container.seek(_LATEST_TICK, stream=stream)
        starts = [packet.pts for packet in packets_of(container, stream) if packet.pts is not None]
    except av.error.FFmpegError:  # a damaged index
        return None
    return float(max(starts) * stream.time_base) if starts else None


def _is_cut_short(path: str, container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> bool:
    """Whether the file says that it goes on, or its index, where it is in front, lists frames beyond its end."""
    if _MATROSKA in container.format.name:
        return is_matroska_cut_short(path)
    index = stream.index_entries
    return len(index) > 0 and index[-1].pos + index[-1].size > os.path.getsize(path)


def _is_filled(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, duration_seconds: float
) -> bool:
    """Whether an AVI's frames reach as far by its index, which its header does not know of; True for all others."""
    index = stream.index_entries
    if not is_row_of_slots(container) or len(index) < 2 or stream.time_base is None:
        return True
    seconds = float((index[-1].timestamp - index[0].timestamp) * stream.time_base)
    return duration_seconds - seconds <= _MOST_INTERVALS * seconds / (len(index) - 1)


def _packet_timing(path: str) -> tuple[float, float, int]:
    container, stream = open_stream(path)
    with container:
        # Discarded packets are decoded but not shown (edit lists); two packets can share one shown frame (VP9).
        time_base = stream.time_base  # a stream whose file is closed tells anything
        clock = steady_clock(container, stream)
        num_packets = 0
        stamps: list[tuple[int, int]] = []  # never the packets, which are the whole file
        with suppress(av.error.FFmpegError):  # damage: what comes before it counts
            for packet in packets_of(container, stream):
                if not packet.is_discard:
                    num_packets += 1
                    shown = packet.dts if packet.pts is None else packet.pts
                    if shown is not None:
                        stamps.append((shown, shown if packet.dts is None else packet.dts))
    if not stamps or time_base is None:
        return even_timing(max(num_packets, 1), 0.0)
    starts = set(in_order_of_play(stamps, clock) if clock else (shown for shown, _ in stamps))
    return even_timing(len(starts), float((max(starts) - min(starts)) * time_base))
