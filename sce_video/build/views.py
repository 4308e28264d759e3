"""Training views and the sampling of their clips from the config."""

from dataclasses import fields, replace
from functools import partial
from itertools import cycle, islice
from typing import Any

from fvcore.common.config import CfgNode

from sce_video.arguments import keyword_names, settings_for
from sce_video.augment.background_erasing import STILL_FRAMES, BackgroundErasing
from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.crop import CROPS, AreaCrop, RandomCrop
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.op import Op
from sce_video.augment.recipes import ViewRecipe, ViewSpec
from sce_video.augment.solarize import Solarize
from sce_video.clips.frames import FRAME_CHOICES
from sce_video.clips.samplers import PAIRS, pair_then_independent
from sce_video.data.dataset import ClipSampling


def build_views(cfg: CfgNode) -> list[ViewSpec]:
    """The global views of pretraining, its local views, and those of other times, which are negatives.

    Training on labels uses the first.
    """
    aug, clip = cfg.AUG, cfg.CLIP
    recipes = [
        _recipe(cfg, _crop(cfg), _strong_ops(cfg, blur=blur, solarize=solarize))
        for blur, solarize in zip(aug.BLUR_PROBABILITIES, aug.SOLARIZE_PROBABILITIES, strict=True)
    ]
    if aug.VIEW_1_IS_WEAK:
        share = aug.WEAK_TEMPORAL_DIFFERENCE_PROBABILITY
        weak = replace(recipes[0], temporal_difference_probability=share, ops=(Flip(aug.FLIP_PROBABILITY),))
        recipes = [weak] + recipes[1:] * (clip.NUM_GLOBAL_VIEWS - 1)
    of_clip = (clip.SECONDS, clip.NUM_FRAMES, clip.SIZE_PIXELS, aug.ANTIALIASED_RESIZE)
    global_views = [ViewSpec(recipe, *of_clip) for recipe in islice(cycle(recipes), clip.NUM_GLOBAL_VIEWS)]
    local_views = [] if clip.LOCAL_SIZES_PIXELS == [0] else _local_views(cfg)
    return [*global_views, *local_views, *global_views[:1] * clip.NUM_NEGATIVES]


def build_image_views(cfg: CfgNode) -> list[ViewSpec]:
    """The views of an image in joint pretraining: as of a video, with one frame.

    It has no temporal difference, and no frame of another time or video is mixed into it.
    """
    return [replace(view, num_frames=1, recipe=_still(view.recipe)) for view in build_views(cfg)]


def _still(recipe: ViewRecipe) -> ViewRecipe:
    ops = tuple(op for op in recipe.ops if not isinstance(op, BackgroundErasing))
    return replace(recipe, temporal_difference_probability=0.0, ops=ops)


def _local_views(cfg: CfgNode) -> list[ViewSpec]:
    aug, clip = cfg.AUG, cfg.CLIP
    ops = _strong_ops(cfg, blur=aug.LOCAL_BLUR_PROBABILITY, solarize=aug.LOCAL_SOLARIZE_PROBABILITY)
    areas = list(zip(aug.LOCAL_CROP_AREAS[::2], aug.LOCAL_CROP_AREAS[1::2], strict=True))
    sizes = clip.LOCAL_SIZES_PIXELS
    return [
        ViewSpec(
            _recipe(cfg, AreaCrop(area, tuple(aug.CROP_ASPECT)), ops),
            clip.LOCAL_SECONDS or clip.SECONDS,
            clip.LOCAL_NUM_FRAMES or clip.NUM_FRAMES,
            size,
            aug.ANTIALIASED_RESIZE,
        )
        for size, area in zip(sizes, areas * len(sizes) if len(areas) == 1 else areas, strict=True)
    ]


def _recipe(cfg: CfgNode, crop: RandomCrop, ops: tuple[Op, ...]) -> ViewRecipe:
    return ViewRecipe(
        temporal_difference_probability=cfg.AUG.TEMPORAL_DIFFERENCE_PROBABILITY,
        crop=crop,
        ops=ops,
        mean=tuple(cfg.AUG.MEAN),
        std=tuple(cfg.AUG.STD),
    )


def _strong_ops(cfg: CfgNode, *, blur: float, solarize: float) -> tuple[Op, ...]:
    strengths = tuple(cfg.AUG.COLOR_STRENGTH * share for share in cfg.AUG.JITTER_SHARES)
    return (
        *_erasing(cfg),
        ColorJitter(cfg.AUG.JITTER_PROBABILITY, strengths),
        Grayscale(cfg.AUG.GRAYSCALE_PROBABILITY),
        GaussianBlur(blur, cfg.AUG.BLUR_KERNEL_PIXELS, tuple(cfg.AUG.BLUR_SIGMA_PIXELS)),
        Solarize(solarize),
        Flip(cfg.AUG.FLIP_PROBABILITY),
    )


def _erasing(cfg: CfgNode) -> tuple[Op, ...]:
    """Nothing without it, so that no number is drawn for it."""
    still = STILL_FRAMES.get(cfg.AUG.BACKGROUND_ERASING)
    return () if still is None else (BackgroundErasing(1.0, cfg.AUG.ERASING_MOST_WEIGHT, still),)


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
        num_negatives=cfg.CLIP.NUM_NEGATIVES,
    )
