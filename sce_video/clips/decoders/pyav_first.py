"""What all frames of a video have in common, by its first frame: when time begins, and how frames are sized and turned.

Where the header says it, nothing need be decoded to open the file.
"""

from fractions import Fraction
from typing import NamedTuple

import av.packet
import av.video.stream

from sce_video.clips.decoders.h264 import length_bytes, says_more
from sce_video.clips.decoders.pyav_file import PlacedFrame


class FirstFrame(NamedTuple):
    """`begin` is in ticks of the `time_base`, None if the file has no times; `rotation` in degrees counterclockwise."""

    begin: int | None
    time_base: Fraction
    height: int
    width: int
    rotation: int


def decoded_first_frame(placed: PlacedFrame) -> FirstFrame:
    """Of any file, from its first frame itself."""
    begin, frame = placed
    assert frame.time_base is not None  # only frames made by hand have none
    return FirstFrame(begin, frame.time_base, frame.height, frame.width, frame.rotation)


def said_first_frame(
    packet: av.packet.Packet, stream: av.video.stream.VideoStream, *, size: tuple[int, int]
) -> FirstFrame | None:
    """Of a plain mp4 with frames of that `plain_mp4_size`, by its first packet; None if it cannot be told."""
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
