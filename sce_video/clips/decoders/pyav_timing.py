"""Duration and number of frames of a video, also where the header lacks them or is wrong."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress

import av
import av.container
import av.error
import av.video.stream

from sce_video.clips.decoders.base import even_timing, is_consistent
from sce_video.clips.decoders.container import is_truncated_matroska
from sce_video.clips.decoders.pyav_file import (
    continuous_clock,
    in_playback_order,
    lacks_presentation_times,
    open_stream,
    packets_of,
)
from sce_video.clips.decoders.transport_stream import refuse_concatenated_streams

_MATROSKA = "matroska"  # "webm" is the same reader
_MOST_INTERVALS = 3  # from the start of the last frame to the end
_LATEST_TICK = 2**62  # to seek to; FFmpeg counts in 63 bits


def video_timing(
    path: str, container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> tuple[float, float, int]:
    """(duration in seconds, fps, number of frames), all positive and consistent.

    From the header if it has consistent values for the video stream. If it has only the length of the whole file, from
    the time of the last frame. Otherwise from all packets: the file is opened again and read without decoding, which
    takes a few milliseconds. The container's read position may change.

    Raises:
        DecodeError: a transport stream whose video continues in another stream.
    """
    fps = float(stream.average_rate or 0)
    if container.format.name == "mpegts":
        refuse_concatenated_streams(path, stream_id=stream.id)
    # A file that may be concatenated has no header for the whole, and is read from its start anyway; the duration of an
    # flv may be that of another stream, or of a part that is missing.
    is_known = continuous_clock(container, stream) is None and container.format.name != "flv"
    if is_known and not _is_truncated(path, container, stream):
        for duration, num_frames in _candidates(container, stream, fps):
            if is_consistent(duration, fps, num_frames) and _covers_duration(container, stream, duration):
                return duration, fps, num_frames
    return _packet_timing(path)


def _candidates(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, fps: float
) -> Iterator[tuple[float, int]]:
    """Candidates of (duration in seconds, number of frames) from the file's header, the most likely first."""
    begin = float((stream.start_time or 0) * (stream.time_base or 0))
    if stream.duration and stream.time_base:
        duration = float(stream.duration * stream.time_base)
        # Fragments are counted by the index of what was found; some files give the end of the last one as duration.
        num_frames = stream.frames or len(stream.index_entries)
        yield duration, num_frames
        if not stream.frames:
            yield duration - begin, num_frames
    else:
        # The duration of mkv, webm and flv is the time of their end; the video may begin later than at 0.
        duration = _end_seconds(container, stream, fps) - begin
        yield duration, stream.frames or max(round(duration * fps), 1)


def _end_seconds(container: av.container.InputContainer, stream: av.video.stream.VideoStream, fps: float) -> float:
    """End of the video by the tag that FFmpeg and mkvmerge write for each stream, or the file's if it has no other one.

    Otherwise the file's end may be that of the sound, so the last frame is looked up; 0 if that fails.
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
    """Start of the last frame in seconds, by the packets after the last key frame; None if there are none."""
    if _MATROSKA not in container.format.name or stream.time_base is None:
        return None  # others have no index to find the last key frame by
    try:
        container.seek(_LATEST_TICK, stream=stream)
        starts = [packet.pts for packet in packets_of(container, stream) if packet.pts is not None]
    except av.error.FFmpegError:  # a damaged index
        return None
    return float(max(starts) * stream.time_base) if starts else None


def _is_truncated(path: str, container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> bool:
    """Whether the file is shorter than its header says, or than the index at its start, if it has one."""
    if _MATROSKA in container.format.name:
        return is_truncated_matroska(path)
    index = stream.index_entries
    return len(index) > 0 and index[-1].pos + index[-1].size > os.path.getsize(path)


def _covers_duration(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, duration_seconds: float
) -> bool:
    """Whether the frames in an AVI's index cover its header's duration; True for all other containers."""
    index = stream.index_entries
    if not lacks_presentation_times(container) or len(index) < 2 or stream.time_base is None:
        return True
    seconds = float((index[-1].timestamp - index[0].timestamp) * stream.time_base)
    return duration_seconds - seconds <= _MOST_INTERVALS * seconds / (len(index) - 1)


def _packet_timing(path: str) -> tuple[float, float, int]:
    container, stream = open_stream(path)
    with container:
        # Discarded packets are decoded but not shown (edit lists); two packets can share one shown frame (VP9).
        time_base = stream.time_base  # undefined once the file is closed
        clock = continuous_clock(container, stream)
        num_packets = 0
        stamps: list[tuple[int, int]] = []  # not the packets, which are the whole file
        with suppress(av.error.FFmpegError):  # damage: use what precedes it
            for packet in packets_of(container, stream):
                if not packet.is_discard:
                    num_packets += 1
                    shown = packet.dts if packet.pts is None else packet.pts
                    if shown is not None:
                        stamps.append((shown, shown if packet.dts is None else packet.dts))
    if not stamps or time_base is None:
        return even_timing(max(num_packets, 1), 0.0)
    starts = set(in_playback_order(stamps, clock) if clock else (shown for shown, _ in stamps))
    return even_timing(len(starts), float((max(starts) - min(starts)) * time_base))
