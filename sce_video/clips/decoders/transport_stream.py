"""Pictures in an MPEG transport stream (ISO/IEC 13818-1), found in its packets of 188 bytes without a library."""

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


def refuse_concatenated_streams(path: str, *, stream_id: int) -> None:
    """Refuse a transport stream concatenated from files with different stream ids, of which only one would be read.

    Parallel streams, as in a broadcast, are alternatives; consecutive ones are parts of one video.

    Args:
        stream_id: of the stream that is read.
    Raises:
        DecodeError: another stream precedes or follows it.
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
            f"{path}: concatenated from streams with different ids; {counts[stream_id]} pictures can be read, "
            f"{sum(lost.values())} would be lost; join its parts with ffmpeg -f concat"
        )


def _starts_of_pictures(path: str) -> Iterator[tuple[int, int]]:
    """(packet number, stream id) of the start of each picture, in file order."""
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
    """Whether a packet starts an elementary packet of video, (N, 188) -> (N,)."""
    has_field, has_payload = packets[:, 3] & 0x20 > 0, packets[:, 3] & 0x10 > 0
    begin = np.minimum(np.where(has_field, 5 + packets[:, 4].astype(int), 4), _PACKET_BYTES - 4)
    head = np.take_along_axis(packets, begin[:, None] + np.arange(4), axis=1)
    is_video = (head[:, :3] == (0, 0, 1)).all(axis=1) & (head[:, 3] & 0xF0 == 0xE0)
    is_start = (packets[:, 0] == _SYNC) & (packets[:, 1] & 0x40 > 0) & has_payload
    result: NDArray[np.bool_] = is_start & is_video
    return result
