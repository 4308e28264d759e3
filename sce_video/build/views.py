"""From the config: the views of a video, in training and in evaluation, and where their clips lie."""

from collections.abc import Callable
from functools import partial

import torch
from fvcore.common.config import CfgNode

from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.crop import AreaCrop, RandomCrop, ShortSideCrop
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.recipes import ViewRecipe, ViewSpec
from sce_video.augment.solarize import Solarize
from sce_video.clips.frames import Positions, jittered_positions, strided_positions, uniform_positions
from sce_video.clips.samplers import (
    SpanSampler,
    bounded_distance_pair,
    decreasing_distance_pair,
    independent_spans,
    pair_then_independent,
)
from sce_video.data.dataset import ClipSampling
from sce_video.evaluate.views import ViewProtocol


def build_views(cfg: CfgNode) -> list[ViewSpec]:
    """The views of pretraining, global ones first; training on labels sees the first."""
    return _global_views(cfg)


def _global_views(cfg: CfgNode) -> list[ViewSpec]:
    """View 1 and view 2, which differ in blur and solarization."""
    strengths = tuple(cfg.AUG.COLOR_STRENGTH * share for share in cfg.AUG.JITTER_SHARES)
    recipes = [
        ViewRecipe(
            temporal_difference_probability=cfg.AUG.TEMPORAL_DIFFERENCE_PROBABILITY,
            crop=CROPS[cfg.AUG.CROP](cfg),
            ops=(
                ColorJitter(cfg.AUG.JITTER_PROBABILITY, strengths),
                Grayscale(cfg.AUG.GRAYSCALE_PROBABILITY),
                GaussianBlur(blur, cfg.AUG.BLUR_KERNEL_PIXELS, tuple(cfg.AUG.BLUR_SIGMA_PIXELS)),
                Solarize(solarize),
                Flip(cfg.AUG.FLIP_PROBABILITY),
            ),
            mean=tuple(cfg.AUG.MEAN),
            std=tuple(cfg.AUG.STD),
        )
        for blur, solarize in zip(cfg.AUG.BLUR_PROBABILITIES, cfg.AUG.SOLARIZE_PROBABILITIES, strict=True)
    ]
    clip = cfg.CLIP
    return [ViewSpec(recipe, clip.SECONDS, clip.NUM_FRAMES, clip.SIZE_PIXELS) for recipe in recipes]


CROPS: dict[str, Callable[[CfgNode], RandomCrop]] = {
    "area": lambda cfg: AreaCrop(tuple(cfg.AUG.CROP_AREA), tuple(cfg.AUG.CROP_ASPECT)),
    "short_side": lambda cfg: ShortSideCrop(tuple(cfg.AUG.CROP_SHORT_SIDE_PIXELS), cfg.CLIP.SIZE_PIXELS),
}


def build_clip_sampling(cfg: CfgNode) -> ClipSampling:
    return ClipSampling(
        spans=SPAN_SAMPLERS[cfg.CLIP.PAIR](cfg),
        speeds=tuple(cfg.CLIP.SPEEDS),
        duration_jitter=cfg.CLIP.DURATION_JITTER,
        positions=partial(FRAME_CHOICES[cfg.CLIP.FRAME_CHOICE], cfg.CLIP.FRAME_STRIDE),
    )


SPAN_SAMPLERS: dict[str, Callable[[CfgNode], SpanSampler]] = {
    "independent": lambda cfg: independent_spans,
    "distance": lambda cfg: partial(
        pair_then_independent,
        pair=partial(
            bounded_distance_pair,
            min_distance_seconds=cfg.CLIP.DISTANCE_SECONDS[0],
            max_distance_seconds=cfg.CLIP.DISTANCE_SECONDS[1],
        ),
    ),
    "decreasing": lambda cfg: partial(
        pair_then_independent, pair=partial(decreasing_distance_pair, power=cfg.CLIP.DISTANCE_POWER)
    ),
}


def _jittered(frame_stride: int, generator: torch.Generator) -> Positions:
    return partial(jittered_positions, generator=generator)


# (frame_stride, the view's generator) -> which of a span's frames are kept
FRAME_CHOICES: dict[str, Callable[[int, torch.Generator], Positions]] = {
    "uniform": lambda frame_stride, generator: uniform_positions,
    "strided": lambda frame_stride, generator: partial(strided_positions, frame_stride=frame_stride),
    "jittered": _jittered,
}


def build_protocol(cfg: CfgNode) -> ViewProtocol:
    """Nothing random in it: frames that pretraining jitters are spread evenly here."""
    return ViewProtocol(
        num_clips=cfg.EVAL.NUM_CLIPS if cfg.EVAL.CLIPS == "evenly_spaced" else 0,
        clip_seconds=cfg.CLIP.SECONDS,
        num_frames=cfg.CLIP.NUM_FRAMES,
        num_crops=cfg.EVAL.NUM_CROPS,
        size_pixels=cfg.EVAL.SIZE_PIXELS,
        clips=cfg.EVAL.CLIPS,
        frame_stride=cfg.CLIP.FRAME_STRIDE if cfg.CLIP.FRAME_CHOICE == "strided" else 0,
    )
