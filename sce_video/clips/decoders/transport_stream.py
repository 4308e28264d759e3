"""What lies in an MPEG transport stream (ISO/IEC 13818-1), by its packets of 188 bytes: no library is asked."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sce_video.clips.decoders.base import DecodeError

_PACKET_BYTES = 188
_SYNC = 0x47
_PACKETS_AT_ONCE = 2**16
# Damage can make one picture of a stream look like another stream's.
_MOST_BY_CHANCE = 1


def refuse_lost_pictures(path: str, *, stream_id: int) -> None:
    """For a transport stream of which one video stream is read: joined of files with other numbers, it has several.

    Streams beside each other, as a broadcast has them, are a choice; one behind the other is half of the video.

    Args:
        stream_id: of the one that is read.
    Raises:
        DecodeError: the pictures go on, or began, in another stream; it counts them.
    """
    counts: Counter[int] = Counter()
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, stream in _starts_of_pictures(path):
        counts[stream] += 1
        first.setdefault(stream, number)
        last[stream] = number
    if stream_id not in counts:
        return
    lost = {
        stream: count
        for stream, count in counts.items()
        if count > _MOST_BY_CHANCE and (first[stream] > last[stream_id] or last[stream] < first[stream_id])
    }
    if lost:
        raise DecodeError(
            f"{path}: joined of streams with other numbers; {counts[stream_id]} pictures can be shown, "
            f"{sum(lost.values())} would be lost; join its parts with ffmpeg -f concat"
        )


def _starts_of_pictures(path: str) -> Iterator[tuple[int, int]]:
    """(number of the packet, stream) where a picture begins, in the order of the file."""
    before = 0
    with open(path, "rb") as file:
        while content := file.read(_PACKET_BYTES * _PACKETS_AT_ONCE):
            packets = np.frombuffer(content[: len(content) // _PACKET_BYTES * _PACKET_BYTES], np.uint8)
            packets = packets.reshape(-1, _PACKET_BYTES)
            starts = np.flatnonzero(_begins_a_picture(packets))
            streams = (packets[starts, 1] & 0x1F).astype(int) << 8 | packets[starts, 2]
            yield from zip((starts + before).tolist(), streams.tolist(), strict=True)
            before += len(packets)


def _begins_a_picture(packets: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a packet holds the head of a video's elementary packet, (N, 188) -> (N,)."""
    has_field, has_payload = packets[:, 3] & 0x20 > 0, packets[:, 3] & 0x10 > 0
    begin = np.minimum(np.where(has_field, 5 + packets[:, 4].astype(int), 4), _PACKET_BYTES - 4)
    head = np.take_along_axis(packets, begin[:, None] + np.arange(4), axis=1)
    is_video = (head[:, :3] == (0, 0, 1)).all(axis=1) & (head[:, 3] & 0xF0 == 0xE0)
    is_start = (packets[:, 0] == _SYNC) & (packets[:, 1] & 0x40 > 0) & has_payload
    result: NDArray[np.bool_] = is_start & is_video
    return result
