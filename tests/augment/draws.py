"""Many draws, checks of their distribution, and a view's parameters by name."""

from dataclasses import replace
from typing import NamedTuple

import torch
from scipy import stats

from sce_video.augment.draw import ViewParameters

NUM_DRAWS = 2000
# Seeds are fixed, so the tests are deterministic; the bounds matter when the draws change.
UNLIKELY = 1e-5
OPS = ("jitter", "grayscale", "blur", "solarize", "flip")  # of the fixture `recipe`, in its order
COINS = ("temporal_difference", *OPS)


class Named(NamedTuple):
    """Parameters of one video for the fixture's ops."""

    temporal_difference: torch.Tensor
    jitter: torch.Tensor
    jitter_factors: torch.Tensor  # brightness, contrast, saturation, hue
    jitter_order: torch.Tensor
    grayscale: torch.Tensor
    blur: torch.Tensor
    blur_sigma: torch.Tensor
    solarize: torch.Tensor
    flip: torch.Tensor


def named(view):
    jitter, grayscale, blur, solarize, flip = view.coins
    return Named(
        temporal_difference=view.temporal_difference,
        jitter=jitter,
        jitter_factors=view.numbers[:4],
        jitter_order=view.order,
        grayscale=grayscale,
        blur=blur,
        blur_sigma=view.numbers[4],
        solarize=solarize,
        flip=flip,
    )


def unnamed(video):
    return ViewParameters(
        temporal_difference=video.temporal_difference,
        coins=torch.stack([getattr(video, name) for name in OPS]),
        numbers=torch.cat([video.jitter_factors, video.blur_sigma[None]]),
        order=video.jitter_order,
    )


def probability_of(recipe, coin):
    if coin == "temporal_difference":
        return recipe.temporal_difference_probability
    return recipe.ops[OPS.index(coin)].probability


def with_probabilities(recipe, *coins, probability):
    """The recipe with another probability of these coins."""
    ops = [
        replace(op, probability=probability) if name in coins else op for name, op in zip(OPS, recipe.ops, strict=True)
    ]
    changed = replace(recipe, ops=tuple(ops))
    return replace(changed, temporal_difference_probability=probability) if COINS[0] in coins else changed


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def assert_uniform(values, low, high, *, rounding=1e-6):
    assert low - rounding <= values.min()
    assert values.max() <= high + rounding
    assert stats.kstest(values.double().numpy(), stats.uniform(low, high - low).cdf).pvalue > UNLIKELY
