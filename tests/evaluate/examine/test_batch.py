"""A small examination of networks whose answers are known."""

from functools import partial

import pytest
import torch
from torch import nn

from sce_video.augment.apply import plain_view
from sce_video.evaluate.examine.batch import BatchExamination, examine_batch
from sce_video.evaluate.examine.similarity import Bar
from tests.evaluate.examine.backbones import BiasedChange, Constant, LastMinusFirst, MeanFrame

HALF = (0.5, 0.5, 0.5)


def examined(
    backbone: nn.Module, *, num_still: int = 0, num_still_others: int = 0, sees_pictures: bool = True
) -> BatchExamination:
    """Of six videos of noise, whose other clip is another one of noise for all but the first.

    The first `num_still` clips and the last `num_still_others` other clips do not move.
    """
    clips, others = torch.randint(
        256, (2, 6, 4, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    others[0] = clips[0]
    clips[:num_still] = clips[:num_still, :1]
    others[6 - num_still_others :] = others[6 - num_still_others :, :1]
    make_views = partial(plain_view, mean=HALF, std=HALF)
    return examine_batch(backbone, clips, others, make_views=make_views, sees_pictures=sees_pictures)


def bars_of(found: BatchExamination) -> dict[str, Bar]:
    assert found.similarities is not None
    return found.similarities.bars


def test_order_and_direction() -> None:
    of_mean, of_difference = bars_of(examined(MeanFrame())), bars_of(examined(LastMinusFirst()))
    assert of_mean["reversed"].mean == pytest.approx(1)
    assert of_mean["frozen"].mean < 0.8
    assert of_mean["other_clip"].mean == pytest.approx(1 / 6, abs=0.1)
    assert of_mean["other_videos"].num_videos == 6
    assert of_difference["reversed"].cosine == pytest.approx(-1)


def test_videos_that_do_not_move_say_nothing_of_movement() -> None:
    found = examined(MeanFrame(), num_still=2)
    assert found.num_moving == 4
    assert {name: bar.num_videos for name, bar in bars_of(found).items()} == {
        **{"frozen": 4, "reversed": 4},
        **{"other_clip": 6, "other_videos": 6},
    }
    assert set(bars_of(examined(MeanFrame(), num_still=6))) == {"other_clip", "other_videos"}


def test_a_network_of_differences_has_no_frozen_row() -> None:
    found = examined(LastMinusFirst(), num_still=2, sees_pictures=False)
    assert {name: bar.num_videos for name, bar in bars_of(found).items()} == {
        **{"reversed": 4, "other_clip": 4},
        "other_videos": 4,
    }
    assert examined(LastMinusFirst(), num_still=5, sees_pictures=False) == (None, 1)


def test_for_a_network_of_differences_other_clips_that_do_not_move_are_blank() -> None:
    some = bars_of(examined(BiasedChange(), num_still=1, num_still_others=2, sees_pictures=False))
    assert (some["reversed"].num_videos, some["other_clip"].num_videos) == (5, 3)
    assert "other_clip" not in bars_of(examined(BiasedChange(), num_still_others=6, sees_pictures=False))
    assert bars_of(examined(MeanFrame(), num_still_others=6))["other_clip"].num_videos == 6


def test_a_collapsed_network() -> None:
    assert bars_of(examined(Constant())) == {}
