"""Plan of which packets to decode for the requested frames; needs no file."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Packet(Protocol):
    """What the container stores of a packet, in ticks of the stream's clock; PyAV's packets have it."""

    @property
    def pts(self) -> int | None:
        """Start of its frame."""

    @property
    def is_keyframe(self) -> bool: ...

    @property
    def is_discard(self) -> bool:
        """Decoded for other frames only and never shown: cut off by an edit list."""


class DecodePlan(NamedTuple):
    """The packets to decode, and those whose frames are shown.

    `ranges` are packets [start, stop), ascending and disjoint, each starting at a key frame. `shown` has, for each
    wanted time, the packet whose frame is on screen.
    """

    ranges: list[tuple[int, int]]
    shown: list[int]


def plan_decoding(packets: Sequence[Packet], wanted: Sequence[int]) -> DecodePlan | None:
    """The fewest packets that give the frames on screen at the wanted times.

    A frame depends on nothing before the last key frame that precedes it both in decoding and in presentation order:
    frames that follow a key frame but are shown before it may reference the previous group of pictures.

    Args:
        packets: in decoding order, every one whose frame is shown from the first packet's start to the last time.
        wanted: ascending times in the same ticks.
    Returns:
        None if a packet has no time, two start at the same time, or a wanted frame or its key frame is missing.
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
    return None if min(spans)[0] < 0 else DecodePlan(_merged(spans), shown)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge spans that overlap or touch, so that a packet is decoded once."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
