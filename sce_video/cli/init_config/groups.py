"""Do names of folders or files tell sessions: recordings that look alike?"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from sce_video.cli.init_config.look import Sample, mean_difference

# Frames of one place differ less than half as much as those of two.
_MOST_WITHIN = 0.5
_FEWEST_PAIRS = 5
_MOST_PAIRS = 400
# Of a file's name: its last number, with a short word before it (c02, take12), and the suffix.
_LAST_NUMBER = r"[^A-Za-z0-9/.]*[A-Za-z]{0,5}[0-9]+(?:[.][^/]*)?$"
# Words -> regular expression, in the form of EVAL.GROUP_PATTERN.
DIVISIONS = {
    "the beginning of the file name": rf"(?:^|/)([^/.]*?){_LAST_NUMBER}",
    "the beginning of the path": rf"^((?:.*/)?[^/.]*?){_LAST_NUMBER}",
    "the folder": r"^(.*)/[^/]*$",
    "the first folder": r"^([^/]+)/",
}


@dataclass(frozen=True)
class Groups:
    """A division of the videos by their names.

    Attributes:
        words: how it is read from the names.
        pattern: the same as a regular expression.
        example: the name of one group.
        within, between: mean difference of middle frames of two videos of one group, of two; gray levels.
    """

    words: str
    pattern: str
    example: str
    num_groups: int
    within: float
    between: float

    @property
    def look_alike(self) -> bool:
        return self.within < _MOST_WITHIN * self.between


def find_groups(paths: Sequence[str], sample: Sample) -> Groups | None:
    """The first division, across folders before within them, whose groups look alike; None if none does."""
    for words, pattern in DIVISIONS.items():
        found = _divided(paths, sample, words, pattern)
        if found and found.look_alike:
            return found
    return None


def group_of(path: str, pattern: str) -> str:
    """What the pattern's parentheses match in a path; "" if it does not match."""
    found = re.search(pattern, path)
    return found[1] if found else ""


def _divided(paths: Sequence[str], sample: Sample, words: str, pattern: str) -> Groups | None:
    """None if this divides the names into one group, or into groups of hardly more than one, or too few were seen."""
    sizes = Counter(group_of(path, pattern) for path in paths)
    if "" in sizes or not 1 < len(sizes) <= len(paths) / 2:
        return None
    middles = {video: seen.maps[len(seen.maps) // 2] for video, seen in sample.seen.items()}
    group = {video: group_of(paths[video], pattern) for video in middles}
    pairs = list(pairwise(middles)) + list(combinations(list(middles)[:: max(1, len(middles) // 30)], 2))[:_MOST_PAIRS]
    alike = [mean_difference(middles[a], middles[b]) for a, b in pairs if group[a] == group[b]]
    others = [mean_difference(middles[a], middles[b]) for a, b in pairs if group[a] != group[b]]
    if min(len(alike), len(others)) < _FEWEST_PAIRS:
        return None
    example, _ = sizes.most_common(1)[0]
    return Groups(words, pattern, example, len(sizes), sum(alike) / len(alike), sum(others) / len(others))
