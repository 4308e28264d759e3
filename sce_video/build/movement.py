"""The probe that examines a few clips while a network trains, from the config."""

from collections.abc import Mapping

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from sce_video.augment.apply import plain_view
from sce_video.evaluate.examine.batch import batch_similarities
from sce_video.evaluate.examine.changes import OTHER_CLIP
from sce_video.evaluate.examine.similarity import OTHER_VIDEOS
from sce_video.evaluate.examine.words import movement_in_words
from sce_video.train.probes.movement import Movement

PERIODS = 5  # of TRAIN.PROBE_EVERY_STEPS


def build_movement(cfg: CfgNode, device: torch.device, *, num_steps: int) -> Movement | None:
    """The probe; None for images."""
    if cfg.CLIP.NUM_FRAMES == 1:
        return None
    mean, std = tuple(cfg.AUG.MEAN), tuple(cfg.AUG.STD)

    def make_views(clips: Tensor) -> Tensor:
        return plain_view(clips.to(device), mean=mean, std=std)

    def measure(backbone: nn.Module, clips: Tensor, others: Tensor) -> dict[str, float]:
        found = batch_similarities(backbone, clips, others, make_views=make_views)
        bars = {f"{name}_similarity": bar.mean for name, bar in found.bars.items() if name != OTHER_VIDEOS}
        return {**bars, "other_videos_cosine": found.cosine_of_others}

    every_steps = PERIODS * cfg.TRAIN.PROBE_EVERY_STEPS
    return Movement(measure, _in_words, every_steps=every_steps, last_step=num_steps - 1)


def _in_words(scalars: Mapping[str, float]) -> tuple[str, str]:
    frozen = scalars.get("frozen_similarity")
    if frozen is None:
        return "collapsed", "All videos have the same feature: no similarity means anything."
    brief = movement_in_words(frozen)
    backwards, other = scalars["reversed_similarity"], scalars[f"{OTHER_CLIP}_similarity"]
    return brief, (
        f"From 0, another video, to 1, the same clip: frozen {frozen:.2f}, backwards {backwards:.2f}, another clip of "
        f"the video {other:.2f}: {brief}."
    )
