"""Paths of videos in shards, as one string, so that a manifest remains a list of paths."""

import re
from typing import NamedTuple

_MEMBER = re.compile(r"(?P<shard>.*?\.tar)/(?P<name>.*)@(?P<start>\d+)\+(?P<length>\d+)", re.DOTALL)


class Member(NamedTuple):
    """A file in a shard: `length` bytes from offset `start`."""

    shard: str
    name: str
    start: int
    length: int


def member_path(member: Member) -> str:
    """`train-000000.tar/clip.mp4@1536+20480`: messages and results show where the bytes are."""
    return f"{member.shard}/{member.name}@{member.start}+{member.length}"


def find_member(path: str) -> Member:
    """Inverse of `member_path`."""
    found = _MEMBER.fullmatch(path)
    assert found is not None, path  # made by member_path
    return Member(found["shard"], found["name"], int(found["start"]), int(found["length"]))
