"""Against `TrainDataset` on the same images, whose clips are made one after another on the CPU."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sce_video.augment.batch import collate, make_views
from sce_video.augment.crop import ShortSideCrop
from sce_video.augment.recipes import ViewSpec
from sce_video.clips.decoders import VideoOpener
from sce_video.data.dataset import TrainDataset, VideoRequest
from sce_video.data.device_images import DeviceImages
from sce_video.data.loader import DeviceLoader, TrainLoader
from sce_video.data.manifest import PackedTexts
from sce_video.data.order import ListOrder
from sce_video.data.storage import ImageArray
from sce_video.data.videos import ListedVideos
from sce_video.engine.pool.workers import Workers
from tests.data.test_dataset import spec

CPU = torch.device("cpu")
IMAGES = [5, 0, 39, 7, *range(10, 36)]  # of 40, those of a list
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 24, 36, 3), dtype=np.uint8)
VIEWS = (
    spec(seconds=0.04, num_frames=1, size_pixels=32, temporal_difference=0.3),
    spec(seconds=0.04, num_frames=1, size_pixels=20),
)
SHORT_SIDE = replace(VIEWS[0], recipe=replace(VIEWS[0].recipe, crop=ShortSideCrop((20, 40), 20)))
SMOOTH = replace(VIEWS[0], size_pixels=12, antialiased_resize=True)
REQUESTS = [VideoRequest(3, video) for video in (0, 29, 4, 11, 2, 28, 17, 5, 9, 13)]


def on_device(*views: ViewSpec, seed: int = 7) -> DeviceImages:
    return DeviceImages(PIXELS, IMAGES, views=views, seed=seed, device=CPU)


def one_by_one(*views: ViewSpec, seed: int = 7) -> TrainDataset:
    paths = PackedTexts(f"images/{image:06d}" for image in IMAGES)
    listed = ListedVideos(paths, None, "images", storage=ImageArray(Path(), PIXELS))
    return TrainDataset(listed.opened_by(VideoOpener("pyav")), views=views, seed=seed)


@pytest.mark.parametrize("views", [VIEWS, (SHORT_SIDE,), (SMOOTH,)], ids=["area", "short side", "antialiased"])
def test_views_are_those_of_the_cpu(views: tuple[ViewSpec, ...]) -> None:
    """The same parameters to the bit, crops to 1/255: resizing on the CPU rounds after each axis."""
    dataset = one_by_one(*views)
    assert len(on_device(*views)) == len(dataset) == 30
    batch, expected = on_device(*views).batch(REQUESTS), collate([dataset[request] for request in REQUESTS])
    assert (batch.videos, batch.failures) == (expected.videos, [])
    assert len(batch.views) == len(views)
    for view, other in zip(batch.views, expected.views, strict=True):
        assert all(map(torch.equal, view.parameters, other.parameters))
        for ours, theirs in ((view.clips, other.clips), (view.successors, other.successors)):
            assert ours.shape == theirs.shape
            assert ours.dtype == torch.uint8
            if len(ours):
                assert (ours.int() - theirs.int()).abs().max() <= 1
                assert (ours.int() - theirs.int()).abs().float().mean() < 0.4  # 0.15 for these
    assert len(batch.views[0].successors) > 0  # of view 1, which has frame differences
    made = make_views(batch, specs=views, device=CPU)
    assert [view.shape[1:] for view in made] == [(3, 1, each.size_pixels, each.size_pixels) for each in views]


def test_a_view_is_a_function_of_seed_epoch_and_video() -> None:
    whole = on_device(*VIEWS).batch(REQUESTS)
    part = on_device(*VIEWS).batch(REQUESTS[3:5])
    for view, of_part in zip(whole.views, part.views, strict=True):
        assert torch.equal(view.clips[3:5], of_part.clips)
        assert all(
            torch.equal(each[3:5], other) for each, other in zip(view.parameters, of_part.parameters, strict=True)
        )
    for other in (
        on_device(*VIEWS, seed=8).batch(REQUESTS),
        on_device(*VIEWS).batch([request._replace(epoch=4) for request in REQUESTS]),
    ):
        assert not torch.equal(whole.views[0].parameters.numbers, other.views[0].parameters.numbers)
    assert not torch.equal(whole.views[0].parameters.numbers, whole.views[1].parameters.numbers)


def test_a_view_of_several_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="an image has one frame"):
        on_device(spec(num_frames=2))


@pytest.mark.parametrize("num_ranks", [1, 2])
def test_batches_are_those_of_the_loader_with_processes(num_ranks: int) -> None:
    """From any step on, in parts, on any rank."""
    images, videos = on_device(*VIEWS), one_by_one(*VIEWS)
    for rank in range(num_ranks):
        settings = {"order": ListOrder(30, 8, seed=3), "accumulation_steps": 2, "rank": rank, "num_ranks": num_ranks}
        none = Workers(0, num_items=30, timeout_seconds=9, name=str)
        ours = DeviceLoader(images, workers=none, **settings)
        theirs = TrainLoader(videos, workers=none, **settings)
        assert ours.steps_per_epoch == theirs.steps_per_epoch == 3
        steps = zip(ours.batches_from(2, num_steps=5), theirs.batches_from(2, num_steps=5), strict=True)
        for (epoch, parts), (other_epoch, other_parts) in steps:
            assert epoch == other_epoch
            for part, other in zip(parts, other_parts, strict=True):
                assert part.videos == other.videos
                assert torch.equal(part.views[1].parameters.numbers, other.views[1].parameters.numbers)
                assert (part.views[1].clips.int() - other.views[1].clips.int()).abs().max() <= 1
