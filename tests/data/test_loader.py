from pathlib import Path

import pytest
import torch

from sce_video.augment.batch import PretrainBatch
from sce_video.clips.decoders import VideoOpener
from sce_video.data.dataset import ClipFormat, PretrainDataset
from sce_video.data.loader import PretrainLoader, available_cores, epoch_order
from sce_video.data.sources import read_folder
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError
from tests.data.test_dataset import recipe

NUM_VIDEOS = 24  # 3 per class, see motion_videos


def loader(
    motion_videos: Path, *, batch: int, accumulation_steps: int = 1, num_workers: int = 0, seed: int = 0
) -> PretrainLoader:
    dataset = PretrainDataset(
        ListedVideos(read_folder(motion_videos, "train"), VideoOpener("pyav")),
        recipes=[recipe(temporal_difference=0.3), recipe(temporal_difference=0.3)],
        clip_format=ClipFormat(seconds=0.5, num_frames=2, size_pixels=32),
        seed=seed,
    )
    return PretrainLoader(
        dataset,
        global_batch_size=batch,
        accumulation_steps=accumulation_steps,
        num_workers=num_workers,
        prefetch_batches=2,
        pin_memory=False,
        seed=seed,
    )


def tensors(batch: PretrainBatch) -> list[torch.Tensor]:
    return [tensor for view in batch.views for tensor in (view.clips, view.successors, *view.parameters)]


def equal(first: PretrainBatch, second: PretrainBatch) -> bool:
    return first.videos == second.videos and all(map(torch.equal, tensors(first), tensors(second)))


def test_every_video_once_per_epoch_in_a_new_order(motion_videos: Path) -> None:
    steps = list(loader(motion_videos, batch=8).batches_from(0, num_steps=6))
    assert [epoch for epoch, _ in steps] == [0, 0, 0, 1, 1, 1]
    orders = [[v for _, parts in steps[start : start + 3] for v in parts[0].videos] for start in (0, 3)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(NUM_VIDEOS))
    assert orders[0] != orders[1]
    assert orders[0] != list(range(NUM_VIDEOS))


def test_an_incomplete_batch_is_left_out(motion_videos: Path) -> None:
    videos = loader(motion_videos, batch=7)
    assert videos.steps_per_epoch == 3
    assert [len(parts[0].videos) for _, parts in videos.batches_from(0, num_steps=4)] == [7, 7, 7, 7]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_any_step_can_be_the_first(motion_videos: Path, num_workers: int) -> None:
    whole = list(loader(motion_videos, batch=8).batches_from(0, num_steps=5))
    rest = list(loader(motion_videos, batch=8, num_workers=num_workers).batches_from(2, num_steps=5))
    assert len(rest) == 3
    for (epoch, parts), (epoch_again, parts_again) in zip(whole[2:], rest, strict=True):
        assert epoch == epoch_again
        assert equal(parts[0], parts_again[0])


def test_parts_make_up_the_batch(motion_videos: Path) -> None:
    _, (whole,) = next(loader(motion_videos, batch=8).batches_from(1, num_steps=2))
    _, parts = next(loader(motion_videos, batch=8, accumulation_steps=4).batches_from(1, num_steps=2))
    assert [len(part.videos) for part in parts] == [2, 2, 2, 2]
    assert [video for part in parts for video in part.videos] == whole.videos
    assert torch.equal(torch.cat([part.views[1].clips for part in parts]), whole.views[1].clips)


def test_the_seed_changes_order_and_views(motion_videos: Path) -> None:
    _, (first,) = next(loader(motion_videos, batch=24).batches_from(0, num_steps=1))
    _, (second,) = next(loader(motion_videos, batch=24, seed=1).batches_from(0, num_steps=1))
    assert first.videos != second.videos
    assert not torch.equal(first.views[0].clips, second.views[0].clips)


def test_too_few_videos_are_refused(motion_videos: Path) -> None:
    with pytest.raises(ManifestError, match="24 videos, fewer than TRAIN.GLOBAL_BATCH_SIZE 25"):
        loader(motion_videos, batch=25)


def test_orders_are_permutations() -> None:
    order = epoch_order(1000, seed=0, epoch=0)
    assert sorted(order) == list(range(1000))
    assert order != epoch_order(1000, seed=0, epoch=1)
    assert order != epoch_order(1000, seed=1, epoch=0)


def test_cores_are_those_of_this_process() -> None:
    assert available_cores() >= 1
