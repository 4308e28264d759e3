from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader

from sce_video.augment.batch import (
    ClipBatch,
    ClipForView,
    Failure,
    TrainBatch,
    VideoClips,
    collate,
    make_views,
)
from sce_video.augment.draw import ViewParameters, draw_view
from sce_video.augment.recipes import ViewSpec
from sce_video.errors import ManifestError
from tests.augment.draws import named, unnamed

FRAMES = (2, 3, 6, 4)  # (T, C, H, W)
DIFFERENT = ((False, True), (True, False), (False, True), (True, True))  # by video, for its two views
FAILURES = [Failure(9, "nine.mp4: broken"), Failure(8, "eight.mp4: broken")]


def specs_of(*recipes):
    return [ViewSpec(recipe, seconds=1.0, num_frames=2, size_pixels=6) for recipe in recipes]


def clip_for_view(recipe, video, view, *, different):
    """Every pixel of the clip is a number of its video and view; the successor's is 100 more."""
    number = 10 * video + view
    parameters = draw_view(recipe, generator=torch.Generator().manual_seed(number))
    return ClipForView(
        clip=torch.full(FRAMES, number, dtype=torch.uint8),
        successors=torch.full(FRAMES, 100 + number, dtype=torch.uint8) if different else None,
        parameters=parameters._replace(temporal_difference=torch.tensor(different)),
    )


def switched_off(parameters, *coins):
    return unnamed(named(parameters)._replace(**dict.fromkeys(coins, torch.tensor(False))))


@pytest.fixture
def samples(recipe):
    """Four videos with two views each; videos 7 and 1 are replacements."""
    numbers, failures = (4, 7, 2, 1), ([], FAILURES[:1], [], FAILURES[1:])
    return [
        VideoClips(
            number,
            tuple(clip_for_view(recipe, video, view, different=different[view]) for view in range(2)),
            failures[video],
        )
        for video, (number, different) in enumerate(zip(numbers, DIFFERENT, strict=True))
    ]


def tensors_of(batch):
    return [tensor for view in batch.views for tensor in (view.clips, view.successors, *view.parameters)]


def test_clips_are_stacked_by_view_in_the_order_of_the_samples(samples):
    batch = collate(samples)
    assert batch.videos == [4, 7, 2, 1]
    assert batch.failures == FAILURES
    assert len(batch.views) == 2
    for view, clips in enumerate(batch.views):
        assert clips.clips.shape == (4, *FRAMES)
        assert clips.clips.dtype == torch.uint8
        assert clips.clips[:, 0, 0, 0, 0].tolist() == [view, 10 + view, 20 + view, 30 + view]


def test_adjacent_clips_are_not_copied(samples):
    times, _, height, width = FRAMES
    memory = torch.randint(0, 256, (2, 4, times, height, width, 3), dtype=torch.uint8)
    videos = [
        sample._replace(
            views=tuple(
                clip._replace(clip=memory[view, video].permute(0, 3, 1, 2)) for view, clip in enumerate(sample.views)
            )
        )
        for video, sample in enumerate(samples)
    ]
    for view, clips in enumerate(collate(videos).views):
        assert clips.clips.data_ptr() == memory[view].data_ptr()
        assert torch.equal(clips.clips, memory[view].permute(0, 1, 4, 2, 3))
    # The same clips in another order are not adjacent.
    for view, clips in enumerate(collate(videos[::-1]).views):
        assert torch.equal(clips.clips, memory[view].flip(0).permute(0, 1, 4, 2, 3))


def test_only_videos_with_frame_differences_have_successors_in_order(samples):
    first, second = collate(samples).views
    assert first.parameters.temporal_difference.tolist() == [False, True, False, True]
    assert first.successors.shape == (2, *FRAMES)
    assert first.successors[:, 0, 0, 0, 0].tolist() == [110, 130]
    assert second.parameters.temporal_difference.tolist() == [True, False, True, True]
    assert second.successors[:, 0, 0, 0, 0].tolist() == [101, 121, 131]


def test_without_frame_differences_the_successors_are_an_empty_batch(samples):
    batch = collate(samples[:1])
    assert batch.views[0].successors.shape == (0, *FRAMES)
    assert batch.views[0].successors.dtype == torch.uint8


def test_parameters_get_a_leading_batch_dimension(samples):
    for view, clips in enumerate(collate(samples).views):
        for name, together in clips.parameters._asdict().items():
            alone = [getattr(sample.views[view].parameters, name) for sample in samples]
            assert together.shape == (4, *alone[0].shape), name
            assert together.dtype == alone[0].dtype, name
            assert all(torch.equal(row, value) for row, value in zip(together, alone, strict=True)), name


def test_samples_with_different_numbers_of_views_are_refused(samples):
    samples[2] = samples[2]._replace(views=samples[2].views[:1])
    with pytest.raises(ValueError, match="shorter"):
        collate(samples)


def test_a_batch_survives_the_transport_from_a_worker(samples):
    here = collate(samples)
    (there,) = DataLoader(samples, batch_size=4, collate_fn=collate, num_workers=1)
    assert (there.videos, there.failures) == (here.videos, here.failures)
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(there), tensors_of(here), strict=True))


def test_a_batch_is_made_of_what_pinning_walks_through(samples):
    """The loader pins tensors inside lists and named tuples, and leaves plain objects and their tensors alone."""
    batch = collate(samples)
    assert type(batch) is TrainBatch
    assert type(batch.views) is list
    assert all(type(view) is ClipBatch and type(view.parameters) is ViewParameters for view in batch.views)
    assert all(type(tensor) is torch.Tensor for tensor in tensors_of(batch))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_loader_pins_every_tensor(samples):
    (batch,) = DataLoader(samples, batch_size=4, collate_fn=collate, pin_memory=True)
    assert type(batch) is TrainBatch
    assert all(tensor.is_pinned() or tensor.numel() == 0 for tensor in tensors_of(batch))


def test_views_are_made_each_by_its_own_recipe(recipe, samples):
    off = ("temporal_difference", "jitter", "grayscale", "blur", "solarize")
    plain = [
        sample._replace(
            views=tuple(
                clip._replace(parameters=switched_off(clip.parameters, *off), successors=None) for clip in sample.views
            )
        )
        for sample in samples
    ]
    recipes = [replace(recipe, mean=(0.0,) * 3, std=(1.0,) * 3), replace(recipe, mean=(0.5,) * 3, std=(0.25,) * 3)]
    views = make_views(collate(plain), specs=specs_of(*recipes), device=torch.device("cpu"))
    assert [(view.shape, view.dtype) for view in views] == [((4, 3, 2, 6, 4), torch.float32)] * 2
    for video in range(4):  # flat frames, so it does not matter which ones are flipped
        first, second = 10 * video / 255, ((10 * video + 1) / 255 - 0.5) / 0.25
        torch.testing.assert_close(views[0][video], torch.full((3, 2, 6, 4), first), rtol=0, atol=1e-6)
        torch.testing.assert_close(views[1][video], torch.full((3, 2, 6, 4), second), rtol=0, atol=1e-6)


def test_frame_differences_reach_their_videos(recipe, samples):
    off = ("jitter", "grayscale", "blur", "solarize")
    only_differences = [
        sample._replace(
            views=tuple(clip._replace(parameters=switched_off(clip.parameters, *off)) for clip in sample.views)
        )
        for sample in samples
    ]
    raw = replace(recipe, mean=(0.0,) * 3, std=(1.0,) * 3)
    first, second = make_views(collate(only_differences), specs=specs_of(raw, raw), device=torch.device("cpu"))
    difference = (1 - 100 / 255) / 2  # every successor is 100 brighter than its clip
    expected = {0: [0.0, difference, 20 / 255, difference], 1: [difference, 11 / 255, difference, difference]}
    torch.testing.assert_close(first[:, 0, 0, 0, 0], torch.tensor(expected[0]), rtol=0, atol=2e-4)
    torch.testing.assert_close(second[:, 0, 0, 0, 0], torch.tensor(expected[1]), rtol=0, atol=2e-4)


def test_a_recipe_for_each_view(recipe, samples):
    with pytest.raises(ValueError, match="shorter"):
        make_views(collate(samples), specs=specs_of(recipe), device=torch.device("cpu"))


def test_a_video_without_clips_leaves_only_the_failures(recipe, samples):
    batch = collate([*samples, VideoClips(5, (), [Failure(5, "five.mp4: broken"), Failure(6, "six.mp4: broken")])])
    assert batch.views == []
    assert batch.failures == [*FAILURES, Failure(5, "five.mp4: broken"), Failure(6, "six.mp4: broken")]
    with pytest.raises(ManifestError, match="all its replacements cannot be decoded: .*six.mp4: broken"):
        make_views(batch, specs=specs_of(recipe, recipe), device=torch.device("cpu"))
