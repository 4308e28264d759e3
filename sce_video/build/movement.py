"""The probe that examines a few clips while a network trains, from the config."""

from collections.abc import Mapping
from functools import partial

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from sce_video.augment.apply import plain_view
from sce_video.evaluate.examine.batch import examine_batch
from sce_video.evaluate.examine.changes import OTHER_CLIP
from sce_video.evaluate.examine.movement_words import FROZEN_IS_BLANK, LEAST_VIDEOS, movement_in_words
from sce_video.evaluate.examine.similarity import OTHER_VIDEOS
from sce_video.models.representation import REPRESENTATIONS
from sce_video.train.probes.movement import Movement

PERIODS = 5  # of TRAIN.PROBE_EVERY_STEPS
_WORDS = {"frozen": "frozen", "reversed": "backwards", OTHER_CLIP: "another clip of the video"}


def build_movement(cfg: CfgNode, device: torch.device, *, num_steps: int) -> Movement | None:
    """The probe; None for images."""
    if cfg.CLIP.NUM_FRAMES == 1:
        return None
    mean, std = tuple(cfg.AUG.MEAN), tuple(cfg.AUG.STD)

    def make_views(clips: Tensor) -> Tensor:
        return plain_view(clips.to(device), mean=mean, std=std)

    sees_pictures = REPRESENTATIONS[cfg.MODEL.REPRESENTATION].sees_pictures

    def measure(backbone: nn.Module, clips: Tensor, others: Tensor) -> dict[str, float]:
        found, num_moving = examine_batch(backbone, clips, others, make_views=make_views, sees_pictures=sees_pictures)
        counts = {"moving_videos": float(num_moving)}
        if found is None:
            return counts
        bars = {f"{name}_similarity": bar.mean for name, bar in found.bars.items() if name != OTHER_VIDEOS}
        num_zeros = sum(found.zeros.values())
        zeros = {"zero_features": float(num_zeros)} if num_zeros else {}
        return {**counts, **bars, "other_videos_cosine": found.cosine_of_others, **zeros}

    every_steps = PERIODS * cfg.TRAIN.PROBE_EVERY_STEPS
    return Movement(
        measure, partial(_in_words, sees_pictures=sees_pictures), every_steps=every_steps, last_step=num_steps - 1
    )


def _in_words(scalars: Mapping[str, float], *, sees_pictures: bool) -> tuple[str, str]:
    brief, sentence = _of_bars(scalars, sees_pictures=sees_pictures)
    zeros = scalars.get("zero_features")
    return brief, f"{sentence} {zeros:.0f} features are zeros and are left out." if zeros else sentence


def _of_bars(scalars: Mapping[str, float], *, sees_pictures: bool) -> tuple[str, str]:
    num_moving = int(scalars["moving_videos"])
    if num_moving == 0:
        return "still", "No video of the batch moves visibly: nothing can be said of movement."
    bars = {words: scalars[f"{name}_similarity"] for name, words in _WORDS.items() if f"{name}_similarity" in scalars}
    if not bars:
        return "no scale", "No two videos have different features: no similarity means anything."
    listed = ", ".join(f"{words} {similarity:.2f}" for words, similarity in bars.items())
    numbers = f"From 0, another video, to 1, the same clip: {listed}"
    if num_moving < LEAST_VIDEOS:
        return "few", f"{numbers}; only {num_moving} videos move visibly: too few to say."
    if not sees_pictures:
        return "blank", f"{numbers}. {FROZEN_IS_BLANK}"
    if "frozen" not in bars:
        return "no frozen", f"{numbers}."
    brief = movement_in_words(bars["frozen"])
    return brief, f"{numbers}, of {num_moving} videos that move visibly: {brief}."
