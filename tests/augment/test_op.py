"""A new op: a class, and its line among a recipe's ops."""

from dataclasses import dataclass, replace

import pytest
import torch

from sce_video.augment.apply import apply_view
from sce_video.augment.draw import ViewParameters, draw_view
from sce_video.augment.op import Op, change
from sce_video.augment.solarize import Solarize
from tests.augment.draws import seeded


@dataclass(frozen=True)
class Fade(Op):
    """Blend with a gray level."""

    @property
    def ranges(self):
        return (0.0, 0.5), (0.9, 1.0)

    def apply(self, views, drawn):
        change(views, drawn.videos, fade, drawn.numbers)


def fade(views, numbers):
    share, level = numbers.view(-1, 2, 1, 1, 1, 1).unbind(1)
    return views + share * (level - views)


@pytest.mark.parametrize(("index", "first"), [(0, 0), (2, 4), (5, 5)])  # index among the ops, and of its first number
def test_a_new_op_does_not_change_the_other_draws(recipe, index, first):
    ops = list(recipe.ops)
    ops.insert(index, Fade(0.5))
    longer = replace(recipe, ops=tuple(ops))
    new_coins = []
    for seed in range(50):
        plain, drawn = (draw_view(each, generator=seeded(seed)) for each in (recipe, longer))
        assert drawn.coins.tolist()[:index] + drawn.coins.tolist()[index + 1 :] == plain.coins.tolist()
        numbers = drawn.numbers.tolist()
        assert numbers[:first] + numbers[first + 2 :] == plain.numbers.tolist()
        assert (drawn.temporal_difference, drawn.order.tolist()) == (plain.temporal_difference, plain.order.tolist())
        assert 0 <= numbers[first] <= 0.5
        assert 0.9 <= numbers[first + 1] <= 1
        new_coins.append(bool(drawn.coins[index]))
    assert 10 < sum(new_coins) < 40


def test_a_new_op_acts_in_its_turn_on_the_videos_of_its_coin(recipe):
    """Gray 0.2 solarized is 0.2; faded by half to 1 before, 0.6, it is 0.4; faded after, 0.6."""
    raw = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    clips = torch.full((2, 1, 3, 4, 4), 51, dtype=torch.uint8)
    parameters = ViewParameters(
        temporal_difference=torch.zeros(2, dtype=torch.bool),
        coins=torch.tensor([[True, True], [True, False]]),
        numbers=torch.tensor([[0.5, 1.0]] * 2),
        order=torch.arange(4).expand(2, -1),
    )
    for ops, expected in (((Fade(1.0), Solarize(1.0)), [0.4, 0.6]), ((Solarize(1.0), Fade(1.0)), [0.6, 0.2])):
        views = apply_view(clips, clips[:0], parameters, replace(recipe, ops=ops, **raw))
        for view, level in zip(views, expected, strict=True):
            torch.testing.assert_close(view, torch.full((3, 1, 4, 4), level), rtol=0, atol=1e-6)
