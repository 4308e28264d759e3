from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sce_video.augment.batch import TrainBatch, make_views
from sce_video.augment.recipes import ViewSpec
from sce_video.clips.decoders import VideoOpener
from sce_video.data.dataset import JointDataset, TrainDataset
from sce_video.data.joined import JoinedVideos
from sce_video.data.loader import TrainLoader
from sce_video.data.order import JointOrder, ListOrder, epoch_order
from sce_video.data.sources import read_folder
from sce_video.data.watched import WatchedVideos
from sce_video.engine.pool.workers import Workers
from sce_video.errors import ConfigError, ManifestError
from tests.data.test_dataset import spec
from tests.deadly import DeadlyVideos, processes_begun_here

NUM_VIDEOS = 24  # 3 per class, see motion_videos
VIEWS = (spec(num_frames=2, temporal_difference=0.3),) * 2


def loader(
    motion_videos: Path,
    *,
    batch: int,
    views: Sequence[ViewSpec] = VIEWS,
    accumulation_steps: int = 1,
    num_workers: int = 0,
    seed: int = 0,
    deadly: Mapping[int, str] = MappingProxyType({}),
    timeout_seconds: float = 120.0,
) -> TrainLoader:
    manifest = read_folder(motion_videos, "train")
    workers = Workers(
        num_workers,
        num_items=len(manifest),
        timeout_seconds=timeout_seconds,
        name=manifest.name,
        tasks_ahead=2,
    )
    dataset = TrainDataset(
        WatchedVideos(DeadlyVideos(manifest.opened_by(VideoOpener("pyav")), deadly), workers),
        views=views,
        seed=seed,
    )
    return TrainLoader(
        dataset,
        workers=workers,
        order=ListOrder(len(dataset), batch, seed),
        accumulation_steps=accumulation_steps,
    )


def tensors(batch: TrainBatch) -> list[torch.Tensor]:
    return [tensor for view in batch.views for tensor in (view.clips, view.successors, *view.parameters)]


def equal(first: TrainBatch, second: TrainBatch) -> bool:
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


def test_global_and_local_views_of_their_own_size(motion_videos: Path) -> None:
    """The same bits from this process and from workers, without a copy between decoder and batch."""
    size = {"temporal_difference": 0.3}
    views = [
        *[spec(num_frames=16, size_pixels=112, **size)] * 2,
        *[spec(seconds=0.25, num_frames=8, size_pixels=64)] * 4,
    ]
    _, (batch,) = next(loader(motion_videos, batch=6, views=views).batches_from(1, num_steps=2))
    _, (from_worker,) = next(loader(motion_videos, batch=6, views=views, num_workers=2).batches_from(1, num_steps=2))
    assert equal(batch, from_worker)
    shapes = [tuple(view.clips.shape) for view in batch.views]
    assert shapes == [(6, 16, 3, 112, 112)] * 2 + [(6, 8, 3, 64, 64)] * 4
    assert sum(view.clips.untyped_storage().nbytes() for view in batch.views) == 6 * 1_597_440
    _, (alone,) = next(loader(motion_videos, batch=6, views=views[:2]).batches_from(1, num_steps=2))
    assert all(map(torch.equal, tensors(batch), tensors(alone)))
    seen = [tuple(view.shape) for view in make_views(batch, specs=views, device=torch.device("cpu"))]
    assert seen == [(6, 3, 16, 112, 112)] * 2 + [(6, 3, 8, 64, 64)] * 4


def joint_loader(motion_videos: Path, *, broken: Mapping[int, str] = MappingProxyType({})) -> TrainLoader:
    """The 24 videos, and the 8 test videos as images, in batches of 4; every third step is of images."""
    lists = [read_folder(motion_videos, part).opened_by(VideoOpener("pyav")) for part in ("train", "test")]
    joined = JoinedVideos(lists)
    workers = Workers(0, num_items=32, timeout_seconds=120.0, name=joined.listed.name)
    videos = WatchedVideos(DeadlyVideos(joined, broken), workers)
    of_each = zip((VIEWS, (spec(num_frames=1),) * 2), joined.listed.parts, strict=True)
    dataset = JointDataset([TrainDataset(videos, views=views, seed=0, part=part) for views, part in of_each])
    order = JointOrder(ListOrder(24, 4, 0), ListOrder(8, 4, 0, first=24), Fraction(1, 3))
    return TrainLoader(dataset, workers=workers, order=order, accumulation_steps=2)


def test_batches_of_videos_and_of_images(motion_videos: Path) -> None:
    whole = list(joint_loader(motion_videos).batches_from(0, num_steps=12))
    assert [epoch for epoch, _ in whole] == [0] * 9 + [1] * 3
    kinds = [{(part.videos[0] >= 24, *part.views[1].clips.shape[:2]) for part in parts} for _, parts in whole]
    assert kinds == [{(False, 2, 2)}, {(False, 2, 2)}, {(True, 2, 1)}] * 4
    images = [[video for part in parts for video in part.videos] for _, parts in whole[2::3]]
    assert sorted(images[0] + images[1]) == sorted(images[2] + images[3]) == list(range(24, 32))
    rest = list(joint_loader(motion_videos).batches_from(5, num_steps=12))
    for (epoch, parts), (epoch_again, parts_again) in zip(whole[5:], rest, strict=True):
        assert epoch == epoch_again
        assert all(map(equal, parts, parts_again))


def test_a_broken_image_is_replaced_by_an_image(motion_videos: Path) -> None:
    broken = dict.fromkeys(range(24, 30), "break down")
    steps = joint_loader(motion_videos, broken=broken).batches_from(0, num_steps=9)
    parts = [part for _, parts in steps for part in parts]
    assert {failure.video for part in parts for failure in part.failures} == set(broken)
    of_images = [part.videos for part in parts if part.views[0].clips.shape[1] == 1]
    assert {video for videos in of_images for video in videos} == {30, 31}


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


def rank_loader(num_videos: int, *, batch: int, parts: int, rank: int = 0, num_ranks: int = 1) -> TrainLoader:
    return TrainLoader(
        None,  # type: ignore[arg-type]  # nothing is opened
        workers=Workers(0, num_items=1, timeout_seconds=1.0, name=str),
        order=ListOrder(num_videos, batch, seed=5),
        accumulation_steps=parts,
        rank=rank,
        num_ranks=num_ranks,
    )


@settings(max_examples=60)
@given(
    parts=st.integers(1, 4),
    ranks=st.integers(1, 5),
    each=st.integers(1, 4),
    rest=st.integers(0, 3),
    step=st.integers(0, 8),
)
def test_the_slices_of_all_ranks_make_up_the_part(parts: int, ranks: int, each: int, rest: int, step: int) -> None:
    batch = parts * ranks * each
    num_videos = 3 * batch + min(rest, batch - 1)
    alone = rank_loader(num_videos, batch=batch, parts=parts).requests_of(step)
    together = [
        rank_loader(num_videos, batch=batch, parts=parts, rank=rank, num_ranks=ranks).requests_of(step)
        for rank in range(ranks)
    ]
    assert {len(part) for of_rank in together for part in of_rank} == {each}
    assert [[video for of_rank in together for video in of_rank[part]] for part in range(parts)] == alone
    # The batch is the step's slice of the epoch's order, however it is divided.
    order = epoch_order(num_videos, seed=5, epoch=step // 3).tolist()
    start = step % 3 * batch
    assert [request.video for part in alone for request in part] == order[start : start + batch]
    assert {request.epoch for part in alone for request in part} == {step // 3}


@pytest.mark.parametrize(("batch", "parts", "ranks"), [(8, 3, 1), (8, 1, 3), (8, 2, 8), (7, 2, 2)])
def test_a_batch_that_cannot_be_shared_equally_is_refused(batch: int, parts: int, ranks: int) -> None:
    with pytest.raises(ConfigError, match=rf"GLOBAL_BATCH_SIZE is {batch}.*STEPS {parts} times {ranks} ranks"):
        rank_loader(100, batch=batch, parts=parts, num_ranks=ranks)


def run_with_deadly(
    motion_videos: Path, way: str, *, num_workers: int, indices: list[int], timeout_seconds: float = 120.0
) -> list[TrainBatch]:
    """All batches of two epochs; the videos at these indices of the first epoch's order are deadly or broken."""
    whole = loader(motion_videos, batch=8, accumulation_steps=2)
    videos = [request.video for step in range(3) for part in whole.requests_of(step) for request in part]
    source = loader(
        motion_videos,
        batch=8,
        accumulation_steps=2,
        num_workers=num_workers,
        deadly={videos[index]: way for index in indices},
        timeout_seconds=timeout_seconds,
    )
    return [part for _, parts in source.batches_from(0, num_steps=6) for part in parts]


@pytest.mark.parametrize(
    ("way", "num_workers", "indices"),
    [
        ("kill", 1, [0, 12, 23]),  # first, middle and last of the epoch
        ("kill", 2, [0, 12, 23]),
        ("kill", 3, [0, 12, 23]),
        ("segfault", 2, [5, 6]),  # two in one part
        ("leave", 2, [3, 4]),  # two workers at once
        ("hang", 2, [3, 4]),
    ],
)
def test_a_deadly_video_is_replaced_as_a_broken_one_is(
    motion_videos: Path, way: str, num_workers: int, indices: list[int]
) -> None:
    before = processes_begun_here()
    timeout_seconds = 2.0 if way == "hang" else 120.0
    expected = run_with_deadly(motion_videos, "break down", num_workers=0, indices=indices)
    batches = run_with_deadly(
        motion_videos, way, num_workers=num_workers, indices=indices, timeout_seconds=timeout_seconds
    )
    assert len(batches) == len(expected) == 12
    assert all(map(equal, batches, expected))
    failed = [[failure.video for failure in batch.failures] for batch in batches]
    assert failed == [[failure.video for failure in batch.failures] for batch in expected]
    assert len({video for videos in failed for video in videos}) == len(indices)
    assert all(f"{motion_videos}" in failure.reason for batch in batches for failure in batch.failures)
    assert processes_begun_here() == before
