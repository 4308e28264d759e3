from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from sce_video.clips.decoders.pyav_plan import DecodePlan, plan_decoding


class Packet(NamedTuple):
    pts: int | None
    is_keyframe: bool
    is_discard: bool


def packets(starts, *, keys, hidden=()):
    """A frame lasts ten ticks."""
    return [Packet(10 * start, number in keys, number in hidden) for number, start in enumerate(starts)]


def test_only_the_groups_of_wanted_frames_are_decoded():
    # Three groups of four frames; frame 1 and frame 9 are wanted.
    listed = packets(range(12), keys={0, 4, 8})
    assert plan_decoding(listed, [15, 90]) == DecodePlan([(0, 2), (8, 10)], [1, 9])


def test_one_group_is_decoded_once_up_to_its_last_wanted_frame():
    listed = packets(range(12), keys={0, 4, 8})
    assert plan_decoding(listed, [50, 59, 60]) == DecodePlan([(4, 7)], [5, 5, 6])


def test_b_frames_need_the_frames_they_reference():
    # Shown as I0 B1 B2 P3, decoded as I0 P3 B1 B2: frame 1 needs three packets, frame 3 two.
    listed = packets([0, 3, 1, 2], keys={0})
    assert plan_decoding(listed, [10]) == DecodePlan([(0, 3)], [2])
    assert plan_decoding(listed, [30]) == DecodePlan([(0, 2)], [1])


def test_frames_shown_before_their_key_frame_need_the_previous_group():
    # Open GOP: the key frame 6 is decoded before 4 and 5, which are shown before it.
    listed = packets([0, 3, 1, 2, 6, 4, 5], keys={0, 4})
    assert plan_decoding(listed, [45]) == DecodePlan([(0, 6)], [5])
    assert plan_decoding(listed, [65]) == DecodePlan([(4, 5)], [4])
    assert plan_decoding(listed, [5, 65]) == DecodePlan([(0, 1), (4, 5)], [0, 4])


def test_hidden_frames_are_decoded_but_never_shown():
    listed = packets([-2, -1, 0, 1], keys={0}, hidden={0, 1})
    assert plan_decoding(listed, [5]) == DecodePlan([(0, 3)], [2])
    assert plan_decoding(listed, [-5]) is None


def test_without_a_key_frame_or_with_two_frames_at_one_time_there_is_no_plan():
    assert plan_decoding(packets([1, 2, 3], keys=()), [20]) is None
    assert plan_decoding(packets([1, 2, 3], keys={0}), [5]) is None
    assert plan_decoding(packets([0, 1, 1], keys={0}), [5]) is None
    assert plan_decoding([], [0]) is None
    assert plan_decoding([Packet(0, True, False), Packet(None, False, False)], [0]) is None


@st.composite
def streams(draw):
    """Groups of pictures; inside a group the frames after the key frame come in any order, hidden ones anywhere."""
    listed = []
    for _ in range(draw(st.integers(1, 5))):
        first, size = len(listed), draw(st.integers(1, 6))
        order = [first, *draw(st.permutations(range(first + 1, first + size)))]
        hidden = draw(st.sets(st.sampled_from(order)))
        listed += [Packet(10 * number, number == first, number in hidden) for number in order]
    return listed


@given(streams(), st.lists(st.integers(0, 320), min_size=1, max_size=6))
def test_any_stream(listed, times):
    times = sorted(times)
    plan = plan_decoding(listed, times)
    seen = [p for p in listed if not p.is_discard]
    if min((p.pts for p in seen), default=999) > times[0]:
        assert plan is None
        return
    assert plan is not None
    for time, number in zip(times, plan.shown, strict=True):
        best = None
        for packet in seen:  # slowly, by the definition
            if packet.pts <= time and (best is None or packet.pts > best.pts):
                best = packet
        assert listed[number] == best
    decoded = [number for start, stop in plan.ranges for number in range(start, stop)]
    assert decoded == sorted(set(decoded))
    needed = set()
    for number in plan.shown:
        key = max(i for i in range(number + 1) if listed[i].is_keyframe)  # groups are closed here
        needed |= set(range(key, number + 1))
    assert set(decoded) == needed
    assert all(listed[start].is_keyframe for start, _ in plan.ranges)
