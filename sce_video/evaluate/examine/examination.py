"""Examination of features: from the rows of all videos to bars, shares and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sce_video.errors import ManifestError
from sce_video.evaluate.examine.changes import row_names
from sce_video.evaluate.examine.movement_words import Examined
from sce_video.evaluate.examine.neighbors import Share, near_duplicates, shares
from sce_video.evaluate.examine.similarity import (
    CLIP,
    Rows,
    Similarities,
    half_squared_distances,
    similarities,
    with_direction,
)
from sce_video.evaluate.examine.thumbnails import NUM_THUMBNAIL_VALUES, are_still
from sce_video.evaluate.examine.visible import visible_pairs, visible_rows
from sce_video.evaluate.examine.words import TITLES, in_words
from sce_video.evaluate.features import FeatureRows


@dataclass(frozen=True)
class Examination:
    """What features see, and of which videos."""

    similarities: Similarities
    shares: dict[str, Share]
    about: Examined

    @property
    def words(self) -> list[str]:
        return in_words(self.similarities, self.shares, self.about)

    def metrics(self) -> dict[str, float]:
        """Similarities on the scale from other videos (0) to the same feature (1), and shares."""
        bars = {f"examine_{name}": bar.mean for name, bar in self.similarities.bars.items()}
        return {**bars, **{f"examine_{name}": share.share for name, share in self.shares.items()}}

    def standard_errors(self) -> dict[str, float]:
        errors = {name: bar.error for name, bar in self.similarities.bars.items()}
        bars = {f"examine_{name}": error for name, error in errors.items() if error is not None}
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
            "num_near_duplicates": self.about.num_duplicates,
            "num_still_videos": self.about.num_still,
            "num_blank_clips": dict(self.about.num_blank),
            "num_zero_features": dict(self.similarities.zeros),
        }


def examine(
    rows: FeatureRows,
    *,
    num_frames: int,
    sees_pictures: bool,
    groups: Sequence[str] | None,
    labels: Sequence[int] | None,
) -> Examination:
    """Examine the features of `WithThumbnails`.

    Args:
        rows: of each video in the order of `row_names`.
        num_frames: of a clip.
        sees_pictures: the network sees frames, not only their differences.
        groups, labels: of every video of the list, also of those that could not be decoded.
    Raises:
        ManifestError: there are no two different videos that the network can see.
    """
    by_name = _by_name(rows, row_names(num_frames))
    thumbnails = {name: row.features[:, -NUM_THUMBNAIL_VALUES:] for name, row in by_name.items()}
    changed = {name: Rows(row.features[:, :-NUM_THUMBNAIL_VALUES], row.videos) for name, row in by_name.items()}
    features = changed.pop(CLIP).features
    duplicates = near_duplicates(thumbnails[CLIP])
    still = {name: are_still(each) for name, each in thumbnails.items()}
    is_other = visible_pairs(~duplicates, still[CLIP], sees_pictures=sees_pictures)
    if not is_other.any():
        moving = "" if sees_pictures else " and move visibly, as the network sees differences of frames"
        raise ManifestError(f"TASK examine needs at least two videos that do not show the same{moving}")
    visible, num_blank = visible_rows(changed, still, sees_pictures=sees_pictures)
    found = similarities(features, visible, is_other=is_other)
    videos = rows.videos.unique().tolist()
    of_videos = None if groups is None else [groups[video] for video in videos]
    in_common = shares(
        half_squared_distances(F.normalize(features.double(), dim=1)),
        is_other=with_direction(features, is_other),
        groups=of_videos,
        labels=None if labels is None else [labels[video] for video in videos],
    )
    about = Examined(
        num_frames=num_frames,
        num_videos=len(videos),
        num_duplicates=int((duplicates.sum(dim=1) > 1).sum()),
        num_still=int(still[CLIP].sum()),
        sees_pictures=sees_pictures,
        num_blank=num_blank,
        num_groups=None if of_videos is None else len({group for group in of_videos if group}),
    )
    return Examination(found, in_common, about)


def _by_name(rows: FeatureRows, names: Sequence[str]) -> dict[str, Rows]:
    """The rows of each name that any video has; `videos` are places among the videos that have rows."""
    _, places, counts = rows.videos.unique_consecutive(return_inverse=True, return_counts=True)
    firsts = counts.cumsum(0) - counts
    numbers = torch.arange(len(places)) - firsts[places]
    present = enumerate(names[: int(counts.max())])
    return {name: _rows_where(rows, places, numbers == number) for number, name in present}


def _rows_where(rows: FeatureRows, places: Tensor, chosen: Tensor) -> Rows:
    return Rows(rows.features[chosen], places[chosen])
