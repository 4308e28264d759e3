"""Which packets have to be decoded for the wanted frames: pure planning, no file needed."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Packet(Protocol):
    """What the container says of one packet, in ticks of the stream's clock; PyAV's packets are such."""

    @property
    def pts(self) -> int | None:
        """When its frame begins."""

    @property
    def is_keyframe(self) -> bool: ...

    @property
    def is_discard(self) -> bool:
        """Decoded for others' sake, never on screen: what an edit list cuts off."""


class DecodePlan(NamedTuple):
    """What to send to the decoder, and what comes out of it.

    `ranges` are packets [start, stop), ascending and apart, each starting at a key frame. `shown` is for every wanted
    time the packet whose frame is on screen then.
    """

    ranges: list[tuple[int, int]]
    shown: list[int]


def plan_decoding(packets: Sequence[Packet], wanted: Sequence[int]) -> DecodePlan | None:
    """The fewest packets that give the frames on screen at the wanted times.

    A frame depends on nothing before the last key frame that precedes it both in decoding and in presentation order:
    pictures that follow a key frame but are shown before it may lean on the group of pictures before.

    Args:
        packets: in decoding order, every one whose frame is shown from the first packet's start to the last time.
        wanted: ascending times in the same ticks.
    Returns:
        None where the packets do not tell: one has no time, two begin at one time, a wanted frame or its key frame is
        not among them.
    """
    starts = [packet.pts for packet in packets if packet.pts is not None]
    if len(starts) < len(packets):
        return None
    order = sorted([(start, index) for index, start in enumerate(starts) if not packets[index].is_discard])
    ranks = [bisect_right(order, (time, len(packets))) - 1 for time in wanted]
    if len(dict(order)) < len(order) or min(ranks) < 0:
        return None
    shown = [order[rank][1] for rank in ranks]
    keys = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    spans = [
        (max([key for key in keys if key <= index and starts[key] <= starts[index]], default=-1), index + 1)
        for index in set(shown)
    ]
    return None if min(spans)[0] < 0 else DecodePlan(_joined(spans), shown)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap or touch become one: a packet is decoded once."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
