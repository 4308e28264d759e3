"""Training views and the sampling of their clips from the config."""

from dataclasses import fields
from functools import partial
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.arguments import keyword_names, settings_for
from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.crop import CROPS, RandomCrop
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.recipes import ViewRecipe, ViewSpec
from sce_video.augment.solarize import Solarize
from sce_video.clips.frames import FRAME_CHOICES
from sce_video.clips.samplers import PAIRS, pair_then_independent
from sce_video.data.dataset import ClipSampling


def build_views(cfg: CfgNode) -> list[ViewSpec]:
    """The two views of pretraining, which differ in blur and solarization; training on labels uses the first."""
    strengths = tuple(cfg.AUG.COLOR_STRENGTH * share for share in cfg.AUG.JITTER_SHARES)
    recipes = [
        ViewRecipe(
            temporal_difference_probability=cfg.AUG.TEMPORAL_DIFFERENCE_PROBABILITY,
            crop=_crop(cfg),
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


def _crop(cfg: CfgNode) -> RandomCrop:
    crop = CROPS[cfg.AUG.CROP]
    names = {field.name for field in fields(crop)}
    settings: dict[str, Any] = {name: tuple(cfg.AUG[f"CROP_{name.upper()}"]) for name in names - {"size_pixels"}}
    return crop(**settings, **({"size_pixels": cfg.CLIP.SIZE_PIXELS} if "size_pixels" in names else {}))


def build_clip_sampling(cfg: CfgNode) -> ClipSampling:
    pair, choose = PAIRS[cfg.CLIP.PAIR], FRAME_CHOICES[cfg.CLIP.FRAME_CHOICE]
    choose_frames = partial(choose, **settings_for(choose, cfg.CLIP))
    draws = "generator" in keyword_names(choose)
    return ClipSampling(
        spans=partial(pair_then_independent, pair=partial(pair, **settings_for(pair, cfg.CLIP))),
        speeds=tuple(cfg.CLIP.SPEEDS),
        duration_jitter=cfg.CLIP.DURATION_JITTER,
        positions=lambda generator: partial(choose_frames, generator=generator) if draws else choose_frames,
    )
