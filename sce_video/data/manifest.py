"""A list of videos, with or without labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sce_video.errors import ManifestError

_NUM_LOOKED_FOR = 32


@dataclass(frozen=True)
class Manifest:
    """Videos in a fixed order; a video's number is its place here.

    `labels` is parallel to `paths` (relative to `root`), or None for videos without labels. `origin` is the file or
    folder that was read, for messages.
    """

    root: Path
    paths: Sequence[str]
    labels: Sequence[int] | None
    origin: str

    def __post_init__(self) -> None:
        if not self.paths:
            raise ManifestError(f"{self.origin} lists no videos")
        if self.labels is not None and min(self.labels) < 0:
            raise ManifestError(f"{self.origin} has the label {min(self.labels)}; labels start at 0")

    def __len__(self) -> int:
        return len(self.paths)

    def digest(self) -> str:
        """Identifies the videos and their order, wherever the root is."""
        return hashlib.sha256("\n".join(self.paths).encode("utf-8", "surrogateescape")).hexdigest()

    def path(self, video: int) -> Path:
        return self.root / self.paths[video]

    def require_labels(self) -> Sequence[int]:
        """The labels.

        Raises:
            ManifestError: there are none.
        """
        if self.labels is None:
            raise ManifestError(f"{self.origin} has no labels; this task needs lines `path label`")
        return self.labels

    def require_files(self) -> None:
        """Catch a wrong root at once instead of as a long row of broken videos.

        Raises:
            ManifestError: none of the first videos exists.
        """
        first = [self.path(video) for video in range(min(len(self), _NUM_LOOKED_FOR))]
        if not any(path.exists() for path in first):
            raise ManifestError(
                f"{self.origin}: none of the first {len(first)} videos exists, for example {first[0]}; check DATA.ROOT"
            )


def require_comparable(train: Manifest, test: Manifest) -> None:
    """Refuse pairs that give meaningless numbers, before hours go into them.

    Raises:
        ManifestError: no labels, a test label without a training video, a video in both.
    """
    unseen = sorted(set(test.require_labels()) - set(train.require_labels()))
    if unseen:
        raise ManifestError(
            f"{test.origin} has the label {unseen[0]}, which no video of {train.origin} has; do both count from 0?"
        )
    shared = {train.path(i) for i in range(len(train))} & {test.path(i) for i in range(len(test))}
    if shared:
        raise ManifestError(f"{len(shared)} videos are in both {train.origin} and {test.origin}, such as {min(shared)}")
