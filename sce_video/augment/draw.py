"""Draws the random parameters of one view from a generator; nothing here touches a pixel."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from sce_video.augment.recipes import ViewRecipe


class ViewParameters(NamedTuple):
    """What the device needs to make a view; one value per video, shared by all frames of its clip.

    For one video the shapes are as listed; a batch has a leading B.
    """

    temporal_difference: Tensor  # bool ()
    jitter: Tensor  # bool ()
    jitter_factors: Tensor  # float (4,): brightness, contrast, saturation, hue shift in turns
    jitter_order: Tensor  # int64 (4,): which of the four acts first, second, ...
    grayscale: Tensor  # bool ()
    blur: Tensor  # bool ()
    blur_sigma: Tensor  # float (), pixels
    solarize: Tensor  # bool ()
    flip: Tensor  # bool ()


def draw_view(recipe: ViewRecipe, *, generator: torch.Generator) -> ViewParameters:
    """Parameters of one view. Every draw is made whatever the coins say, so later draws do not depend on them."""
    shares = torch.rand(6, generator=generator)
    order = torch.randperm(4, generator=generator)
    shares = torch.cat([shares, torch.rand(5, generator=generator)])
    # All at once: each call of torch takes a microsecond or more, and a video is loaded in a few thousand.
    probabilities, lows, spans = _chances(recipe)
    _, _, _, difference, jitter, _, grayscale, blur, _, solarize, flip = (shares < probabilities).unbind()
    numbers = lows + spans * shares
    return ViewParameters(
        temporal_difference=difference,
        jitter=jitter,
        jitter_factors=torch.cat([numbers[:3], numbers[5:6]]),
        jitter_order=order,
        grayscale=grayscale,
        blur=blur,
        blur_sigma=numbers[8],
        solarize=solarize,
        flip=flip,
    )


@lru_cache(maxsize=16)
def _chances(recipe: ViewRecipe) -> tuple[Tensor, Tensor, Tensor]:
    """For each of a view's 11 draws the probability of a coin, and a range's low end and width; each (11,)."""
    *strengths, hue = recipe.jitter_strengths
    low, high = recipe.blur_sigma_pixels
    draws = [
        *((0.0, max(0.0, 1 - strength), 1 + strength) for strength in strengths),
        (recipe.temporal_difference_probability, 0.0, 0.0),
        (recipe.jitter_probability, 0.0, 0.0),
        (0.0, -hue, hue),
        (recipe.grayscale_probability, 0.0, 0.0),
        (recipe.blur_probability, 0.0, 0.0),
        (0.0, low, high),
        (recipe.solarize_probability, 0.0, 0.0),
        (recipe.flip_probability, 0.0, 0.0),
    ]
    probabilities, lows, highs = zip(*draws, strict=True)
    spans = [high - low for low, high in zip(lows, highs, strict=True)]
    return torch.tensor(probabilities), torch.tensor(lows), torch.tensor(spans)
