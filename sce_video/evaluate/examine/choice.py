"""Which videos are examined, and their groups by a pattern over paths."""

import re
from collections.abc import Sequence

import torch

from sce_video.runtime.seeds import generator_from

# So many videos of a group are chosen before the next round of all groups.
_VIDEOS_PER_ROUND = 10


def groups_by_pattern(paths: Sequence[str], pattern: str) -> list[str]:
    """What the group in the pattern matches in each path; "" where the pattern does not match."""
    found = (re.search(pattern, path) for path in paths)
    return [(match.group(1) or "") if match else "" for match in found]


def choose_videos(paths: Sequence[str], groups: Sequence[str] | None, *, num_videos: int, seed: int) -> list[int]:
    """Indices of random videos, ascending, each path once.

    Of each group up to 10 are chosen before those of others, so that neighbours can be of the same group.

    Args:
        paths: full and normalised.
        groups: "" is no group.
    """
    first = {path: video for video, path in reversed(list(enumerate(paths)))}
    videos = sorted(first.values())
    members: dict[str | int, list[int]] = {}
    for place in torch.randperm(len(videos), generator=generator_from(seed, "examined videos")).tolist():
        video = videos[place]
        members.setdefault((groups[video] if groups else "") or video, []).append(video)
    order: list[int] = []
    for start in range(0, max(map(len, members.values())), _VIDEOS_PER_ROUND):
        order += [video for group in members.values() for video in group[start : start + _VIDEOS_PER_ROUND]]
    return sorted(order[:num_videos])
