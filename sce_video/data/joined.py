"""Several lists of videos as one: the indices of a list follow those of the list before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Protocol

from sce_video.clips.decoders import VideoDecoder
from sce_video.data.videos import ListedVideos, StoredVideos


class NamedVideos(Protocol):
    """Videos by index, of one list or several."""

    def __len__(self) -> int: ...

    def name(self, video: int) -> str:
        """Full path, for messages."""
        ...

    @property
    def parts(self) -> Sequence[range]:
        """The indices of each list."""
        ...


@dataclass(frozen=True, eq=False)
class JoinedLists:
    """`NamedVideos` of several lists."""

    lists: Sequence[ListedVideos]

    @cached_property
    def parts(self) -> Sequence[range]:
        return [range(*ends) for ends in pairwise(accumulate(map(len, self.lists), initial=0))]

    def __len__(self) -> int:
        return self.parts[-1].stop

    def name(self, video: int) -> str:
        part = self.part_of(video)
        return self.lists[part].name(video - self.parts[part].start)

    def part_of(self, video: int) -> int:
        """Which list a video is in."""
        return next(index for index, part in enumerate(self.parts) if video in part)


@dataclass(frozen=True)
class JoinedVideos:
    """`Videos` of several lists."""

    stored: Sequence[StoredVideos]

    @cached_property
    def listed(self) -> JoinedLists:
        return JoinedLists([each.listed for each in self.stored])

    def __len__(self) -> int:
        return len(self.listed)

    def open(self, video: int) -> VideoDecoder:
        """See `Videos.open`."""
        part = self.listed.part_of(video)
        return self.stored[part].open(video - self.listed.parts[part].start)
