"""Do names of folders or files tell sessions: recordings that look alike?"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from sce_video.cli.init_config.look import Sample, mean_difference

# Frames of one place differ less than half as much as those of two.
_MOST_WITHIN = 0.5
_FEWEST_PAIRS = 5
_MOST_PAIRS = 400
_LAST_NUMBER = re.compile(r"^(.*?)[\W_]*[A-Za-z]{0,5}\d+$")


@dataclass(frozen=True)
class Groups:
    """A division of the videos by their names.

    Attributes:
        words: how it is read from the names.
        example: the name of one group.
        within, between: mean difference of middle frames of two videos of one group, of two; gray levels.
    """

    words: str
    example: str
    num_groups: int
    within: float
    between: float

    @property
    def look_alike(self) -> bool:
        return self.within < _MOST_WITHIN * self.between


def file_prefix(path: str) -> str:
    """The path without the last number of the file's name: `a/s1_p2_t03.mp4` -> `a/s1_p2`; "" if nothing is left."""
    folder, _, name = path.rpartition("/")
    found = _LAST_NUMBER.match(name.rpartition(".")[0] or name)
    return f"{folder}/{found[1]}".lstrip("/") if found and found[1] else ""


def first_folder(path: str) -> str:
    return path.split("/")[0] if "/" in path else ""


def last_folder(path: str) -> str:
    return path.rpartition("/")[0]


_DIVISIONS: dict[str, Callable[[str], str]] = {
    "the beginning of the file name": file_prefix,
    "the folder": last_folder,
    "the first folder": first_folder,
}


def find_groups(paths: Sequence[str], sample: Sample) -> Groups | None:
    """The finest division whose groups look alike; if none does, None."""
    for words, group_of in _DIVISIONS.items():
        found = _divided(paths, sample, group_of, words)
        if found and found.look_alike:
            return found
    return None


def _divided(paths: Sequence[str], sample: Sample, group_of: Callable[[str], str], words: str) -> Groups | None:
    """None if this divides the names into one group, or into groups of hardly more than one, or too few were seen."""
    sizes = Counter(map(group_of, paths))
    if "" in sizes or not 1 < len(sizes) <= len(paths) / 2:
        return None
    middles = {video: seen.maps[len(seen.maps) // 2] for video, seen in sample.seen.items()}
    group = {video: group_of(paths[video]) for video in middles}
    pairs = list(pairwise(middles)) + list(combinations(list(middles)[:: max(1, len(middles) // 30)], 2))[:_MOST_PAIRS]
    alike = [mean_difference(middles[a], middles[b]) for a, b in pairs if group[a] == group[b]]
    others = [mean_difference(middles[a], middles[b]) for a, b in pairs if group[a] != group[b]]
    if min(len(alike), len(others)) < _FEWEST_PAIRS:
        return None
    example, _ = sizes.most_common(1)[0]
    return Groups(words, example, len(sizes), sum(alike) / len(alike), sum(others) / len(others))
