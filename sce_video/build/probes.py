"""The probes of a pretraining run from the config."""

from collections.abc import Sequence

import torch
from fvcore.common.config import CfgNode

from sce_video.build.movement import build_movement
from sce_video.data.videos import ListedVideos
from sce_video.methods.base import Method
from sce_video.models.base import Backbone
from sce_video.runtime.logging import LOGGER
from sce_video.train.probes.base import Probe, Probes
from sce_video.train.probes.embeddings import Embeddings
from sce_video.train.probes.labelled import NO_LABEL, Labelled
from sce_video.train.probes.updates import Updates

_MOST_CLASSES = 2000


def build_probes(
    cfg: CfgNode,
    method: Method,
    lists: Sequence[ListedVideos],
    device: torch.device,
    *,
    num_steps: int,
) -> Probes:
    """All probes, by the name under which checkpoints keep their state; none if TRAIN.PROBE_EVERY_STEPS is 0.

    Args:
        lists: the videos, and the images of joint pretraining.
        num_steps: of the whole run.
    """
    every_steps = cfg.TRAIN.PROBE_EVERY_STEPS
    if every_steps == 0:
        return Probes()
    probes: dict[str, Probe | None] = {
        "updates": Updates(every_steps=every_steps),
        "embeddings": Embeddings(every_steps=every_steps),
        "labelled": _labelled(cfg, method, lists, device),
        "movement": build_movement(cfg, device, num_steps=num_steps),
    }
    return Probes({name: probe for name, probe in probes.items() if probe is not None})


def _labelled(cfg: CfgNode, method: Method, lists: Sequence[ListedVideos], device: torch.device) -> Labelled | None:
    """Online kNN and linear probe on the videos; None if these have no labels, or more classes than can be learned."""
    (videos, *images), backbone = lists, method.backbone
    labels = videos.labels
    if labels is None or max(labels) == NO_LABEL or cfg.TRAIN.PROBE_LABELLED_VIDEOS == 0:
        return None
    if max(labels) >= _MOST_CLASSES:
        LOGGER.info("no online kNN and linear probe: %d classes, more than %d", max(labels) + 1, _MOST_CLASSES)
        return None
    LOGGER.info(
        "online kNN and linear probe look at the labels of %d videos; nothing else of the run does "
        "(TRAIN.PROBE_LABELLED_VIDEOS 0: they do not)",
        sum(label != NO_LABEL for label in labels),
    )
    assert isinstance(backbone, Backbone)
    num_videos = min(cfg.TRAIN.PROBE_LABELLED_VIDEOS, len(videos))
    all_labels = [*labels, *(NO_LABEL for each in images for _ in range(len(each)))]
    return Labelled(all_labels, backbone, feature_dim=backbone.feature_dim, num_videos=num_videos, device=device)
