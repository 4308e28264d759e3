from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as TF

from sce_video.augment.batch import VideoClips, collate
from sce_video.augment.color_jitter import ColorJitter
from sce_video.augment.crop import AreaCrop
from sce_video.augment.flip import Flip
from sce_video.augment.gaussian_blur import GaussianBlur
from sce_video.augment.grayscale import Grayscale
from sce_video.augment.recipes import ViewRecipe, ViewSpec
from sce_video.augment.solarize import Solarize
from sce_video.clips.decoders import VideoMetadata, VideoOpener, open_video
from sce_video.clips.frames import ClipSpan, jittered_positions, strided_positions
from sce_video.clips.samplers import bounded_distance_pair, pair_then_independent
from sce_video.data.dataset import ClipSampling, TrainDataset, VideoRequest
from sce_video.data.sources import read_folder, read_image_folders
from sce_video.data.videos import videos_from_paths

SAMPLING = ClipSampling()
Frames = tuple[VideoMetadata, Callable[[torch.Tensor], int]]


def recipe(*, temporal_difference: float = 0.0, whole_frame: bool = False) -> ViewRecipe:
    return ViewRecipe(
        temporal_difference_probability=temporal_difference,
        crop=AreaCrop((1.0, 1.0), (1.0, 1.0)) if whole_frame else AreaCrop((0.2, 0.766), (0.75, 1.3333)),
        ops=(
            ColorJitter(0.8, (0.8, 0.8, 0.4, 0.2)),
            Grayscale(0.2),
            GaussianBlur(0.5, kernel_pixels=23, sigma_pixels=(0.1, 2.0)),
            Solarize(0.2),
            Flip(0.5),
        ),
        mean=(0.45, 0.45, 0.45),
        std=(0.225, 0.225, 0.225),
    )


def spec(*, seconds: float = 0.5, num_frames: int = 4, size_pixels: int = 32, **options: Any) -> ViewSpec:
    return ViewSpec(recipe(**options), seconds=seconds, num_frames=num_frames, size_pixels=size_pixels)


@pytest.fixture
def dataset(motion_videos: Path) -> Callable[..., TrainDataset]:
    def make(*, seed: int = 0, sampling: ClipSampling = SAMPLING, **options: Any) -> TrainDataset:
        videos = read_folder(motion_videos, "train").opened_by(VideoOpener("pyav"))
        return TrainDataset(videos, views=[spec(**options)] * 2, sampling=sampling, seed=seed)

    return make


@pytest.fixture
def frames_of_first(motion_videos: Path) -> Frames:
    """The first video's metadata, and a function from a whole, unscaled frame to its index."""
    with open_video(read_folder(motion_videos, "train").name(0), decoder="pyav") as video:
        about = video.metadata
        frames = video.frames_at([(i + 0.5) / about.fps for i in range(about.num_frames)]).float()

    def number_of(frame: torch.Tensor) -> int:
        return int((frames - frame.float()).abs().mean(dim=(1, 2, 3)).argmin())

    return about, number_of


def same(first: VideoClips, second: VideoClips) -> bool:
    return all(
        torch.equal(one.clip, other.clip)
        and all(torch.equal(a, b) for a, b in zip(one.parameters, other.parameters, strict=True))
        for one, other in zip(first.views, second.views, strict=True)
    )


def test_a_sample_is_a_function_of_seed_epoch_and_video(dataset: Callable[..., TrainDataset]) -> None:
    videos = dataset()
    sample = videos[VideoRequest(3, 5)]
    torch.manual_seed(1)  # what ran before does not matter
    _ = videos[VideoRequest(0, 0)]
    assert same(sample, videos[VideoRequest(3, 5)])
    assert not same(sample, videos[VideoRequest(4, 5)])
    assert not same(sample, videos[VideoRequest(3, 6)])
    assert not same(sample, dataset(seed=1)[VideoRequest(3, 5)])


def test_the_two_views_are_drawn_independently(dataset: Callable[..., TrainDataset]) -> None:
    first, second = dataset()[VideoRequest(0, 0)].views
    assert first.clip.shape == second.clip.shape == (4, 3, 32, 32)
    assert first.clip.dtype == torch.uint8
    assert not torch.equal(first.clip, second.clip)
    assert not torch.equal(first.parameters.numbers, second.parameters.numbers)


@pytest.mark.parametrize(("seconds", "has_negatives"), [(0.25, True), (2.5, False)])
def test_negative_views_are_of_other_times_where_the_video_has_room(
    motion_videos: Path, seconds: float, has_negatives: bool
) -> None:
    """The first views are the same bits with and without; a third clip fits in videos of 4 s, or does not."""
    videos = read_folder(motion_videos, "train").opened_by(VideoOpener("pyav"))
    same_time = partial(pair_then_independent, pair=partial(bounded_distance_pair, distance_seconds=(0.0, 0.0)))
    views = [spec(seconds=seconds)] * 3
    alone = TrainDataset(videos, views=views[:2], seed=0, sampling=ClipSampling(same_time))
    dataset = TrainDataset(videos, views=views, seed=0, sampling=ClipSampling(same_time, num_negatives=1))
    requests = [VideoRequest(epoch, video) for epoch in range(3) for video in range(4)]
    for request in requests:
        clips = dataset[request]
        assert len(clips.views) == 3
        assert clips.has_negatives is has_negatives
        assert same(clips._replace(views=clips.views[:2]), alone[request])
        assert not alone[request].has_negatives
    batch = collate([dataset[request] for request in requests])
    assert batch.has_negatives.tolist() == [has_negatives] * len(requests)


def test_views_of_their_own_size(motion_videos: Path) -> None:
    """Global views are the same bits with and without local ones; a local one is shorter, as whole frames show."""
    videos = read_folder(motion_videos, "train").opened_by(VideoOpener("pyav"))
    global_views = [spec(num_frames=16, size_pixels=112, temporal_difference=0.5)] * 2
    local_views = [spec(seconds=0.25, num_frames=8, size_pixels=64)] * 4
    alone = TrainDataset(videos, views=global_views, seed=0)
    together = TrainDataset(videos, views=[*global_views, *local_views], seed=0)
    for video in range(4):
        all_six = together[VideoRequest(1, video)].views
        assert [tuple(view.clip.shape) for view in all_six] == [(16, 3, 112, 112)] * 2 + [(8, 3, 64, 64)] * 4
        assert len({view.clip.numpy().tobytes() for view in all_six}) == 6
        for with_others, one in zip(all_six[:2], alone[VideoRequest(1, video)].views, strict=True):
            assert torch.equal(with_others.clip, one.clip)
            assert (with_others.successors is None) == (one.successors is None)
            assert one.successors is None or torch.equal(with_others.successors, one.successors)
            assert all(map(torch.equal, with_others.parameters, one.parameters))


def test_a_local_view_has_its_own_length(motion_videos: Path, frames_of_first: Frames) -> None:
    """16 frames per second: 0.5 s go from frame i to i + 7, 0.25 s from i to i + 3."""
    about, number_of = frames_of_first
    views = [
        spec(seconds=seconds, size_pixels=about.height, whole_frame=True) for seconds in (0.5, 0.5, 0.25, 0.25, 0.25)
    ]
    videos = read_folder(motion_videos, "train").opened_by(VideoOpener("pyav"))
    for epoch in range(3):
        clips = [view.clip for view in TrainDataset(videos, views=views, seed=0)[VideoRequest(epoch, 0)].views]
        assert [number_of(clip[-1]) - number_of(clip[0]) for clip in clips] == [7, 7, 3, 3, 3]


def test_memory_is_that_of_the_views(motion_videos: Path) -> None:
    videos = read_folder(motion_videos, "train").opened_by(VideoOpener("pyav"))
    views = [*[spec(num_frames=16, size_pixels=112)] * 2, *[spec(num_frames=8, size_pixels=64)] * 4]
    memory = TrainDataset(videos, views=views, seed=0).memory_for(5)
    assert [sum(clip.nbytes for clip in of_video) for of_video in memory] == [1_597_440] * 5
    blocks = {clip.untyped_storage().data_ptr(): clip.untyped_storage().nbytes() for clip in chain(*memory)}
    assert sorted(blocks.values()) == [5 * 98_304] * 4 + [5 * 602_112] * 2


def test_starts_cover_the_video_uniformly(dataset: Callable[..., TrainDataset], motion_videos: Path) -> None:
    """Whole, unscaled frames show which frame of the video a clip begins with."""
    with open_video(read_folder(motion_videos, "train").name(0), decoder="pyav") as video:
        about = video.metadata
        frames = video.frames_at([(i + 0.5) / about.fps for i in range(about.num_frames)])
    side = about.height
    videos = dataset(whole_frame=True, num_frames=1, size_pixels=side)
    starts = []
    for epoch in range(60):
        for view in videos[VideoRequest(epoch, 0)].views:
            distances = (frames.float() - view.clip.float()).abs().mean(dim=(1, 2, 3))
            assert distances.min() == 0
            starts.append(int(distances.argmin()) / about.fps)
    latest = about.duration_seconds - 0.5
    assert min(starts) < 0.15 * latest
    assert max(starts) > 0.85 * latest
    assert abs(sum(starts) / len(starts) / latest - 0.5) < 0.15


@pytest.mark.parametrize(("height", "width"), [(150, 200), (40, 50), (96, 96), (300, 31)])
def test_an_antialiased_crop_is_pils(tmp_path: Path, height: int, width: int) -> None:
    """Of the whole image. torchvision's is the same; PIL's fixed-point numbers give another rounding."""
    pixels = torch.randint(256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (tmp_path / "train" / "a").mkdir(parents=True)
    image = Image.fromarray(pixels.numpy())
    image.save(tmp_path / "train" / "a" / "1.png")
    whole = replace(recipe(), crop=AreaCrop((1.0, 1.0), (width / height, width / height)))
    views = [ViewSpec(whole, 0.04, 1, 48, antialiased_resize=True), ViewSpec(whole, 0.04, 1, 48)]
    videos = read_image_folders(tmp_path, "train").opened_by(VideoOpener("pyav"))
    smooth, plain = (view.clip for view in TrainDataset(videos, views=views, seed=0)[VideoRequest(0, 0)].views)
    frame = pixels.permute(2, 0, 1)
    assert torch.equal(smooth[0], TF.resize(frame, [48, 48], antialias=True))
    assert torch.equal(plain[0], TF.resize(frame, [48, 48], antialias=False))
    by_pil = torch.from_numpy(np.array(image.resize((48, 48), Image.Resampling.BILINEAR))).permute(2, 0, 1)
    assert (smooth[0].int() - by_pil.int()).abs().max() <= 1
    if height > 96:
        assert (plain[0].int() - by_pil.int()).abs().float().mean() > 10


def test_frame_differences_bring_the_next_native_frame(
    dataset: Callable[..., TrainDataset], motion_videos: Path
) -> None:
    view = dataset(temporal_difference=1.0)[VideoRequest(0, 0)].views[0]
    assert view.successors is not None
    assert view.successors.shape == view.clip.shape
    assert dataset()[VideoRequest(0, 0)].views[0].successors is None
    with open_video(read_folder(motion_videos, "train").name(0), decoder="pyav") as video:
        about = video.metadata
        frames = video.frames_at([(i + 0.5) / about.fps for i in range(about.num_frames)])
    videos = dataset(temporal_difference=1.0, whole_frame=True, size_pixels=about.height)
    whole = videos[VideoRequest(0, 0)].views[0]
    assert whole.successors is not None
    for kept, following in zip(whole.clip, whole.successors, strict=True):
        index = int((frames.float() - kept.float()).abs().mean(dim=(1, 2, 3)).argmin())
        assert torch.equal(frames[index], kept)
        assert torch.equal(frames[index + 1], following)


@pytest.fixture
def indices_of(dataset: Callable[..., TrainDataset], frames_of_first: Frames) -> Callable[..., list[list[list[int]]]]:
    """Options of the sampling -> for some epochs and both views, which frames of the first video are in the clip."""
    about, number_of = frames_of_first

    def get(**options: Any) -> list[list[list[int]]]:
        videos = dataset(whole_frame=True, size_pixels=about.height, sampling=ClipSampling(**options))
        samples = [videos[VideoRequest(epoch, 0)] for epoch in range(12)]
        return [[list(map(number_of, view.clip)) for view in sample.views] for sample in samples]

    return get


def test_a_clip_at_twice_the_speed_spans_twice_the_time(indices_of: Callable[..., list[list[list[int]]]]) -> None:
    """Videos have 16 frames per second: a clip of 0.5 s goes from frame i to i + 7, one of 1 s to i + 15."""
    lengths = {clip[-1] - clip[0] for views in indices_of() for clip in views}
    assert lengths == {7}
    lengths = {clip[-1] - clip[0] for views in indices_of(speeds=(2.0,)) for clip in views}
    assert lengths == {15}
    lengths = {clip[-1] - clip[0] for views in indices_of(speeds=(1.0, 2.0)) for clip in views}
    assert lengths == {7, 15}
    lengths = {clip[-1] - clip[0] for views in indices_of(duration_jitter=0.5) for clip in views}
    assert len(lengths) > 3
    assert 3 <= min(lengths) < max(lengths) <= 11


def test_spans_are_those_of_the_sampler(indices_of: Callable[..., list[list[list[int]]]]) -> None:
    def at_one_and_two(
        video_seconds: float, clip_seconds: list[float], *, generators: list[torch.Generator]
    ) -> list[ClipSpan]:
        return [ClipSpan(start, length) for start, length in zip((1.0, 2.0), clip_seconds, strict=True)]

    assert {(first[0], second[0]) for first, second in indices_of(spans=at_one_and_two)} == {(16, 32)}


def test_frames_are_those_of_the_choice(indices_of: Callable[..., list[list[list[int]]]]) -> None:
    strided = indices_of(positions=lambda generator: partial(strided_positions, frame_stride=2))
    assert {tuple(i - clip[0] for i in clip) for views in strided for clip in views} == {(0, 2, 4, 6)}
    jittered = indices_of(positions=lambda generator: partial(jittered_positions, generator=generator))
    assert len({tuple(i - clip[0] for i in clip) for views in jittered for clip in views}) > 6


def test_a_broken_video_is_replaced_and_reported(motion_videos: Path, tmp_path: Path) -> None:
    good = [motion_videos / path for path in read_folder(motion_videos, "train").paths]
    (tmp_path / "broken.mp4").write_bytes(b"<html>404</html>")
    paths = [str(tmp_path / "broken.mp4"), *map(str, good)]
    manifest = videos_from_paths(root=Path("/"), paths=paths, labels=None, origin="list")
    videos = TrainDataset(manifest.opened_by(VideoOpener("pyav")), views=[spec()], seed=0)
    sample = videos[VideoRequest(0, 0)]
    assert sample.failures[0].video == 0
    assert "broken.mp4" in sample.failures[0].reason
    assert sample.video != 0
    again = videos[VideoRequest(0, 0)]
    assert again.video == sample.video
    assert same(sample, again)
    replacements = {videos[VideoRequest(epoch, 0)].video for epoch in range(10)}
    assert len(replacements) > 3  # another one each epoch, not always the same neighbour


def test_if_all_videos_are_broken_there_are_failures_but_no_clips(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"")
    manifest = videos_from_paths(root=tmp_path, paths=["a.mp4", "b.mp4"], labels=None, origin="list")
    videos = TrainDataset(manifest.opened_by(VideoOpener("pyav")), views=[spec()], seed=0)
    clips = videos[VideoRequest(0, 0)]
    assert clips.views == ()
    assert len(clips.failures) == 10
    assert {failure.video for failure in clips.failures} == {0, 1}
