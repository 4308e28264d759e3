"""A small examination of networks whose answers are known."""

from functools import partial

import pytest
import torch
from torch import nn

from sce_video.augment.apply import plain_view
from sce_video.evaluate.examine.batch import batch_similarities
from sce_video.evaluate.examine.similarity import Similarities
from tests.evaluate.examine.backbones import Constant, LastMinusFirst, MeanFrame

HALF = (0.5, 0.5, 0.5)


def examined(backbone: nn.Module) -> Similarities:
    """Of six videos of noise, whose other clip is another one of noise for all but the first."""
    clips, others = torch.randint(
        256, (2, 6, 4, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    others[0] = clips[0]
    return batch_similarities(backbone, clips, others, make_views=partial(plain_view, mean=HALF, std=HALF))


def test_order_and_direction() -> None:
    of_mean, of_difference = examined(MeanFrame()), examined(LastMinusFirst())
    assert of_mean.bars["reversed"].mean == pytest.approx(1)
    assert of_mean.bars["frozen"].mean < 0.8
    assert of_mean.bars["other_clip"].mean == pytest.approx(1 / 6, abs=0.1)
    assert of_mean.bars["other_videos"].num_videos == 6
    assert of_difference.bars["reversed"].cosine == pytest.approx(-1)


def test_a_collapsed_network() -> None:
    assert examined(Constant()).bars == {}
