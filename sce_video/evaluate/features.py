"""Extraction of frozen features: one vector per video, the mean over its views, or one per clip."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from sce_video.engine.pool.workers import Workers
from sce_video.errors import CheckpointError, ManifestError
from sce_video.evaluate.views import ResizedClips
from sce_video.runtime.logging import LOGGER

# If all of the first videos fail, the path or the decoder is wrong, not the videos.
_NUM_FIRST = 10

# Per forward pass; with full coverage a video can have hundreds of views.
_MAX_VIEWS = 128


class FeatureRows(NamedTuple):
    """Features of some videos, in their order, without those that could not be decoded.

    `failures` has index and reason for each of these.
    """

    features: Tensor  # float (rows, D)
    videos: Tensor  # int64 (rows,), index of each row's video
    failures: list[tuple[int, str]]


def concatenated(parts: Sequence[FeatureRows]) -> FeatureRows:
    full = [part for part in parts if len(part.features)] or list(parts[:1])
    return FeatureRows(
        torch.cat([part.features for part in full]),
        torch.cat([part.videos for part in full]),
        [failure for part in parts for failure in part.failures],
    )


@dataclass(frozen=True)
class FeatureSet:
    """Features with labels of all videos of a list that could be decoded.

    `features` float (rows, D), `labels` int64 (rows,), `videos` int64 (rows,); `failures` has one line for each of the
    `num_expected` videos that is missing.
    """

    features: Tensor
    labels: Tensor
    videos: Tensor
    failures: list[str]
    num_expected: int

    @property
    def num_evaluated(self) -> int:
        return self.num_expected - len(self.failures)

    def part(self, chosen: Tensor) -> "FeatureSet":
        """The rows where `chosen`, bool (rows,), is true."""
        return replace(self, features=self.features[chosen], labels=self.labels[chosen], videos=self.videos[chosen])


def features_digest(features: Tensor) -> str:
    """SHA-256 of features, (rows, D) on the CPU; equal for bit-identical features."""
    return sha256(features.contiguous().numpy().tobytes()).hexdigest()


def labeled(rows: FeatureRows, labels: Sequence[int]) -> FeatureSet:
    """Add labels to rows; `labels` has one for every video of the list."""
    return FeatureSet(
        features=rows.features,
        labels=torch.tensor(labels, dtype=torch.int64)[rows.videos],
        videos=rows.videos,
        failures=[reason for _, reason in rows.failures],
        num_expected=len(labels),
    )


def mean_of_views(features: Tensor, *, num_crops: int) -> Tensor:
    """One row per video, the mean of its views' unnormalised features as in SCE: (views, D) -> (1, D)."""
    return features.mean(dim=0, keepdim=True)


def mean_of_crops(features: Tensor, *, num_crops: int) -> Tensor:
    """One row per clip, the mean of its crops' features: (clips * num_crops, D) -> (clips, D)."""
    return features.unflatten(0, (-1, num_crops)).mean(dim=1)


# By EVAL.RETRIEVAL_LEVEL: what one query or bank entry is.
POOLS: dict[str, Callable[..., Tensor]] = {"video": mean_of_views, "clip": mean_of_crops}


@dataclass(frozen=True)
class FeatureExtractor:
    """Extracts features of all views of videos with a backbone in eval mode and float32.

    Args:
        dataset: clips of each video, or why it cannot be decoded.
        make_views: uint8 clips of a video (clips, T, C, h, w), on the device -> float (views, C, T, S, S).
        pool: features of a video's views (views, D) -> its rows (rows, D).
    """

    backbone: nn.Module
    dataset: Dataset[ResizedClips]
    make_views: Callable[[Tensor], Tensor]
    pool: Callable[[Tensor], Tensor]
    workers: Workers
    device: torch.device

    @torch.no_grad()  # not inference_mode: the linear probe needs autograd on the features
    def extract(self, batches: Iterable[Sequence[int]]) -> Iterator[FeatureRows]:
        """Yield the features of each batch of videos; the backbone gets at most 128 views at a time.

        Raises:
            CheckpointError: a feature is not finite.
            ManifestError: none of the list's first ten videos can be decoded.
        """
        self.backbone.eval()
        first_failures: list[str] = []
        for videos in self.workers.results(self._load, batches):
            rows = self._rows_of(videos)
            for video, reason in rows.failures:
                LOGGER.warning("skipped: %s", reason)
                if video < _NUM_FIRST:
                    first_failures.append(reason)
            if len(first_failures) == _NUM_FIRST:
                raise ManifestError(
                    f"none of the first {_NUM_FIRST} videos can be decoded; for example {first_failures[0]}; check "
                    f"DATA.ROOT and DATA.DECODER"
                )
            yield rows

    def _load(self, videos: Sequence[int]) -> list[ResizedClips]:
        return [self.dataset[video] for video in videos]

    def _rows_of(self, videos: Sequence[ResizedClips]) -> FeatureRows:
        failures = [(video.video, video.failure) for video in videos if video.failure is not None]
        decoded = [video for video in videos if video.failure is None]
        if not decoded:
            return FeatureRows(torch.empty(0, 0), torch.empty(0, dtype=torch.int64), failures)
        views = [self.make_views(video.clips.to(self.device, non_blocking=True)) for video in decoded]
        # (views of all videos, D)
        features = torch.cat([self.backbone(part) for part in torch.cat(views).split(_MAX_VIEWS)]).float().cpu()
        if not torch.isfinite(features).all():
            raise CheckpointError(
                "the backbone gives features that are not finite; are its weights from a diverged run?"
            )
        kept = [self.pool(part) for part in features.split([len(part) for part in views])]
        numbers = [video.video for video, part in zip(decoded, kept, strict=True) for _ in part]
        return FeatureRows(torch.cat(kept), torch.tensor(numbers), failures)
