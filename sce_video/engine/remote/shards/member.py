"""A video in a shard as one text, so that a manifest is still a list of paths."""

import re
from typing import NamedTuple

_MEMBER = re.compile(r"(?P<shard>.*?\.tar)/(?P<name>.*)@(?P<start>\d+)\+(?P<length>\d+)", re.DOTALL)


class Member(NamedTuple):
    """`length` bytes of a shard from `start` on."""

    shard: str
    name: str
    start: int
    length: int


def member_path(member: Member) -> str:
    """`train-000000.tar/clip.mp4@1536+20480`: where its bytes are can be read off any message and result."""
    return f"{member.shard}/{member.name}@{member.start}+{member.length}"


def find_member(path: str) -> Member:
    """The way back."""
    found = _MEMBER.fullmatch(path)
    assert found is not None, path  # made by member_path
    return Member(found["shard"], found["name"], int(found["start"]), int(found["length"]))
