"""Frozen features: one vector per video, the mean over its views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sce_video.errors import CheckpointError
from sce_video.evaluate.views import VideoViews, ViewsDataset
from sce_video.runtime.logging import LOGGER
from sce_video.runtime.progress import progress_bar


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
    normalize: Callable[[Tensor], Tensor],
    local_batch_size: int,
    num_workers: int,
    device: torch.device,
    description: str,
) -> FeatureSet:
    """Run the backbone, in eval mode and float32, over all views of all videos.

    Raw features are averaged over a video's views as in SCE.

    Args:
        labels: of every video of the data set.
        normalize: uint8 views (n, T, C, H, W) -> float (n, C, T, H, W) as in pretraining.
        local_batch_size: videos in one forward pass.
        description: for the progress bar.
    Raises:
        CheckpointError: a feature is not finite.
    """
    backbone.eval()
    loader = DataLoader(dataset, batch_size=local_batch_size, num_workers=num_workers, collate_fn=list)
    features: list[Tensor] = []
    kept: list[int] = []
    failures: list[str] = []
    with progress_bar(total=len(dataset), description=description, unit="video") as bar:
        for videos in loader:
            decoded = [video for video in videos if video.failure is None]
            if decoded:
                features.append(_features_of(backbone, decoded, normalize=normalize, device=device))
                kept += [video.video for video in decoded]
            for failed in (video for video in videos if video.failure is not None):
                LOGGER.warning("left out: %s", failed.failure)
                failures.append(failed.failure)
            bar.update(len(videos))
    if not all(torch.isfinite(part).all() for part in features):
        raise CheckpointError("the backbone gives features that are not finite; were its weights from a diverged run?")
    return FeatureSet(
        features=torch.cat(features) if features else torch.empty(0, 0),
        labels=torch.tensor([labels[video] for video in kept], dtype=torch.int64),
        failures=failures,
    )


def _features_of(
    backbone: nn.Module, videos: list[VideoViews], *, normalize: Callable[[Tensor], Tensor], device: torch.device
) -> Tensor:
    views = torch.cat([video.views for video in videos]).to(device)
    features: Tensor = backbone(normalize(views))
    return features.unflatten(0, (len(videos), -1)).mean(dim=1).float().cpu()  # (videos, views, D) -> (videos, D)
