"""Which batch a step has, against slow loops over the steps."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.data.order import JointOrder, ListOrder, epoch_order
from sce_video.errors import ConfigError, ManifestError

BATCH = 2


def joint(video_batches: int, num_images: int, share: Fraction) -> JointOrder:
    num_videos = BATCH * video_batches + 1  # one is left out in each epoch
    images = ListOrder(num_images, BATCH, seed=5, first=num_videos, noun="images")
    return JointOrder(ListOrder(num_videos, BATCH, seed=5), images, share)


def kinds(order: JointOrder, steps: range) -> str:
    """A letter for each step."""
    num_videos = order.videos.num_videos
    found = ""
    for step in steps:
        _, batch = order.batch(step)
        assert batch.shape == (BATCH,)
        assert len({bool(video < num_videos) for video in batch}) == 1
        found += "v" if batch[0] < num_videos else "i"
    return found


def test_orders_are_permutations() -> None:
    order = epoch_order(1000, seed=0, epoch=0).tolist()
    assert sorted(order) == list(range(1000))
    assert order != epoch_order(1000, seed=0, epoch=1).tolist()
    assert order != epoch_order(1000, seed=1, epoch=0).tolist()


@pytest.mark.parametrize(
    ("share", "video_batches", "two_epochs"),
    [
        (Fraction(1, 4), 6, "vvvivvvi" * 2),
        (Fraction(1, 2), 3, "vivivi" * 2),
        (Fraction(2, 3), 2, "viivii" * 2),
        (Fraction(1, 4), 4, "vvviv" * 2),  # an epoch ends with the videos
    ],
)
def test_images_are_spread_evenly(share: Fraction, video_batches: int, two_epochs: str) -> None:
    order = joint(video_batches, 9, share)
    assert order.steps_per_epoch == len(two_epochs) // 2
    assert kinds(order, range(len(two_epochs))) == two_epochs


@settings(max_examples=40)
@given(
    share=st.fractions(min_value=Fraction(1, 6), max_value=Fraction(9, 10), max_denominator=12),
    video_batches=st.integers(6, 12),
    num_images=st.integers(BATCH, 11),
)
def test_every_epoch_has_all_videos_and_its_share_of_images(
    share: Fraction, video_batches: int, num_images: int
) -> None:
    order = joint(video_batches, num_images, share)
    num_steps, num_videos = order.steps_per_epoch, order.videos.num_videos
    asked: list[tuple[int, int]] = []  # of images: how often the list was used up, and which
    for epoch in range(3):
        seen, credit = [], Fraction(0)
        for index in range(num_steps):
            again, batch = order.batch(epoch * num_steps + index)
            credit += share
            if credit >= 1:
                credit -= 1
                asked += [(again, image - num_videos) for image in batch.tolist()]
            else:
                assert again == epoch
                seen += batch.tolist()
        assert len(set(seen)) == len(seen) == BATCH * video_batches
        assert set(seen) <= set(range(num_videos))
    assert 0 <= share * num_steps - order.num_image_steps < 1
    of_pass = num_images // BATCH * BATCH
    for start in range(0, len(asked), of_pass):
        one_pass = asked[start : start + of_pass]
        assert {again for again, _ in one_pass} == {start // of_pass}
        assert len(set(one_pass)) == len(one_pass)
        assert {image for _, image in one_pass} <= set(range(num_images))


@settings(max_examples=40)
@given(share=st.fractions(min_value=Fraction(1, 6), max_value=Fraction(9, 10), max_denominator=12), data=st.data())
def test_any_window_of_an_epoch_has_the_share(share: Fraction, data: st.DataObject) -> None:
    order = joint(10, 4, share)
    start = data.draw(st.integers(0, order.steps_per_epoch - 1))
    stop = data.draw(st.integers(start, order.steps_per_epoch))
    counted = kinds(order, range(start, stop)).count("i")
    assert abs(counted - share * (stop - start)) < 1


def test_orders_of_the_two_lists_do_not_depend_on_each_other() -> None:
    videos = ListOrder(5, BATCH, seed=5)
    order = joint(2, 4, Fraction(1, 2))
    of_videos = [order.batch(step)[1] for step in (0, 2, 4, 6)]
    assert all(map(torch.equal, of_videos, (videos.batch(step)[1] for step in range(4))))


def test_a_share_that_gives_no_images_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^DATA\.IMAGE_SHARE is 0\.125: beside 6 steps of videos .* none of images"):
        joint(6, 9, Fraction(1, 8))


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ManifestError, match="there are 1 images, fewer than TRAIN.GLOBAL_BATCH_SIZE 2; lower it"):
        joint(6, 1, Fraction(1, 2))
