"""Frozen features: one vector per video, the mean over its views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sce_video.errors import CheckpointError, ManifestError
from sce_video.evaluate.views import ResizedClips, ViewsDataset
from sce_video.runtime.logging import LOGGER
from sce_video.runtime.progress import progress_bar
from sce_video.runtime.workers import Workers

# Where so many fail before the first can be decoded, path or decoder are wrong, not the videos.
_NUM_HOPELESS = 10

# In one forward pass; a video that is covered from end to end can have hundreds.
_MOST_VIEWS = 128


@dataclass(frozen=True)
class FeatureSet:
    """Features of the videos that could be decoded, in their order.

    `features` float (n, D), `labels` int64 (n,), `failures` one line for each video left out.
    """

    features: Tensor
    labels: Tensor
    failures: list[str]

    @property
    def num_expected(self) -> int:
        return len(self.features) + len(self.failures)


@torch.no_grad()  # not inference_mode: the linear probe fits on what comes out
def extract_features(
    backbone: nn.Module,
    dataset: ViewsDataset,
    labels: Sequence[int],
    *,
    make_views: Callable[[Tensor], Tensor],
    local_batch_size: int,
    workers: Workers,
    device: torch.device,
    description: str,
) -> FeatureSet:
    """Run the backbone, in eval mode and float32, over all views of all videos.

    Raw features are averaged over a video's views as in SCE.

    Args:
        labels: of every video of the data set.
        make_views: uint8 clips of a video (clips, T, C, h, w), on the device -> float (views, C, T, S, S).
        local_batch_size: videos in one batch, whose views go through the backbone at most 128 at a time.
        description: for the progress bar.
    Raises:
        CheckpointError: a feature is not finite.
        ManifestError: none of the first ten videos can be decoded.
    """
    backbone.eval()
    batches = [range(len(dataset))[i : i + local_batch_size] for i in range(0, len(dataset), local_batch_size)]
    features: list[Tensor] = []
    kept: list[int] = []
    failures: list[str] = []
    with progress_bar(total=len(dataset), description=description, unit="video") as bar:
        for videos in workers.results(lambda batch: [dataset[video] for video in batch], batches):
            decoded = [video for video in videos if video.failure is None]
            if decoded:
                features.append(_features_of(backbone, decoded, make_views=make_views, device=device))
                kept += [video.video for video in decoded]
            failures += _left_out(videos)
            _refuse_hopeless(kept, failures)
            bar.update(len(videos))
    if not all(torch.isfinite(part).all() for part in features):
        raise CheckpointError("the backbone gives features that are not finite; were its weights from a diverged run?")
    return FeatureSet(
        features=torch.cat(features) if features else torch.empty(0, 0),
        labels=torch.tensor([labels[video] for video in kept], dtype=torch.int64),
        failures=failures,
    )


def _left_out(videos: list[ResizedClips]) -> list[str]:
    """Why some of the videos have no views; said in the log."""
    reasons = [video.failure for video in videos if video.failure is not None]
    for reason in reasons:
        LOGGER.warning("left out: %s", reason)
    return reasons


def _refuse_hopeless(kept: list[int], failures: list[str]) -> None:
    """A wrong path must not look like a long row of broken videos."""
    if len(failures) >= _NUM_HOPELESS and (not kept or kept[0] >= _NUM_HOPELESS):
        raise ManifestError(
            f"none of the first {_NUM_HOPELESS} videos can be decoded; the first: {failures[0]}; check DATA.ROOT and "
            f"DATA.DECODER"
        )


def _features_of(
    backbone: nn.Module, videos: list[ResizedClips], *, make_views: Callable[[Tensor], Tensor], device: torch.device
) -> Tensor:
    views = [make_views(video.clips.to(device, non_blocking=True)) for video in videos]
    features = torch.cat([backbone(part) for part in torch.cat(views).split(_MOST_VIEWS)])  # (views of all videos, D)
    per_video = features.split([len(part) for part in views])
    return torch.stack([part.mean(dim=0) for part in per_video]).float().cpu()
