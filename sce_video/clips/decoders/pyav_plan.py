"""Which packets have to be decoded for the wanted frames: pure planning, no file needed."""

from collections.abc import Sequence
from typing import NamedTuple


class PacketFacts(NamedTuple):
    """What the container says of one packet."""

    start_seconds: float  # when its frame begins, after the first frame of the video
    is_key: bool
    is_hidden: bool  # decoded for others' sake, never on screen: what an edit list cuts off


class DecodePlan(NamedTuple):
    """What to send to the decoder, and what comes out of it.

    `ranges` are packets [start, stop), ascending and apart, each starting at a key frame. `shown` is for every wanted
    time the packet whose frame is on screen then.
    """

    ranges: list[tuple[int, int]]
    shown: list[int]


def plan_decoding(packets: Sequence[PacketFacts], times_seconds: Sequence[float]) -> DecodePlan | None:
    """The fewest packets that give the frames on screen at the wanted times.

    A frame depends on nothing before the last key frame that precedes it both in decoding and in presentation order:
    pictures that follow a key frame but are shown before it may lean on the group of pictures before.

    Args:
        packets: in decoding order, every one whose frame is shown from the first packet's start to the last time.
        times_seconds: ascending.
    Returns:
        None where the packets do not tell: a wanted frame or its key frame is not among them, or two frames begin at
        one time.
    """
    visible = [number for number, packet in enumerate(packets) if not packet.is_hidden]
    visible.sort(key=lambda number: packets[number].start_seconds)
    starts = [packets[number].start_seconds for number in visible]
    if len(set(starts)) < len(starts):
        return None
    shown: list[int] = []
    place = -1
    for time in times_seconds:
        while place + 1 < len(visible) and starts[place + 1] <= time:
            place += 1
        if place < 0:
            return None
        shown.append(visible[place])
    spans = [(_key_before(packets, number), number + 1) for number in set(shown)]
    if any(start < 0 for start, _ in spans):
        return None
    return DecodePlan(_joined(spans), shown)


def _key_before(packets: Sequence[PacketFacts], number: int) -> int:
    """The packet that decoding has to begin with; -1 if there is none."""
    start = packets[number].start_seconds
    for key in range(number, -1, -1):
        if packets[key].is_key and packets[key].start_seconds <= start:
            return key
    return -1


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap or touch become one: a packet is decoded once."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
