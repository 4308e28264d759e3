"""Examination of features: from the rows of all videos to bars, shares and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.errors import ManifestError
from sce_video.evaluate.examine.changes import NUM_THUMBNAIL_VALUES, row_names
from sce_video.evaluate.examine.neighbors import Share, near_duplicates, shares
from sce_video.evaluate.examine.similarity import Rows, Similarities, half_squared_distances, similarities
from sce_video.evaluate.examine.words import TITLES, in_words
from sce_video.evaluate.features import FeatureRows


@dataclass(frozen=True)
class Examination:
    """What features see; `num_duplicates` counts videos that show the same as another one."""

    similarities: Similarities
    shares: dict[str, Share]
    num_duplicates: int

    @property
    def words(self) -> list[str]:
        return in_words(self.similarities, self.shares)

    def metrics(self) -> dict[str, float]:
        """Similarities on the scale from other videos (0) to the same feature (1), and shares."""
        bars = {f"examine_{name}": bar.mean for name, bar in self.similarities.bars.items()}
        return {**bars, **{f"examine_{name}": share.share for name, share in self.shares.items()}}

    def standard_errors(self) -> dict[str, float]:
        bars = {f"examine_{name}": bar.error for name, bar in self.similarities.bars.items()}
        return {**bars, **{f"examine_{name}": share.error for name, share in self.shares.items()}}

    def chance(self) -> dict[str, float]:
        return {f"examine_{name}": share.chance for name, share in self.shares.items()}

    def record(self) -> dict[str, Any]:
        """All numbers with their titles, as JSON."""
        return {
            "words": self.words,
            "bars": [
                {"name": name, "title": TITLES[name], **bar._asdict()} for name, bar in self.similarities.bars.items()
            ],
            "shares": [{"name": name, "title": TITLES[name], **share._asdict()} for name, share in self.shares.items()],
            "cosine_of_other_videos": self.similarities.cosine_of_others,
            "num_near_duplicates": self.num_duplicates,
        }


def examine(
    rows: FeatureRows, *, num_frames: int, groups: Sequence[str] | None, labels: Sequence[int] | None
) -> Examination:
    """Examine the features of `WithThumbnails`.

    Args:
        rows: of each video in the order of `row_names`.
        num_frames: of a clip.
        groups, labels: of every video of the list, also of those that could not be decoded.
    Raises:
        ManifestError: there are no two different videos.
    """
    by_name = _by_name(rows, row_names(num_frames))
    features, thumbnails = by_name["clip"].features.split(
        [rows.features.shape[1] - NUM_THUMBNAIL_VALUES, NUM_THUMBNAIL_VALUES], dim=1
    )
    duplicates = near_duplicates(thumbnails)
    if duplicates.all():
        raise ManifestError("TASK examine needs at least two videos that do not show the same")
    changed = {
        name: Rows(row.features[:, :-NUM_THUMBNAIL_VALUES], row.videos)
        for name, row in by_name.items()
        if name != "clip"
    }
    found = similarities(features, changed, is_other=~duplicates)
    videos = rows.videos.unique().tolist()
    in_common = shares(
        half_squared_distances(F.normalize(features.double(), dim=1)),
        is_other=~duplicates,
        groups=None if groups is None else [groups[video] for video in videos],
        labels=None if labels is None else [labels[video] for video in videos],
    )
    return Examination(found, in_common, int((duplicates.sum(dim=1) > 1).sum()))


def _by_name(rows: FeatureRows, names: Sequence[str]) -> dict[str, Rows]:
    """The rows of each name; `videos` are places among the videos that have rows."""
    _, places, counts = rows.videos.unique_consecutive(return_inverse=True, return_counts=True)
    firsts = counts.cumsum(0) - counts
    numbers = torch.arange(len(places)) - firsts[places]
    return {name: _rows_where(rows, places, numbers == number) for number, name in enumerate(names)}


def _rows_where(rows: FeatureRows, places: Tensor, chosen: Tensor) -> Rows:
    return Rows(rows.features[chosen], places[chosen])
