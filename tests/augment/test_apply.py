from dataclasses import replace
from itertools import permutations

import pytest
import torch
from torch.utils.data import default_collate
from torchvision.transforms.v2 import functional as TF

from sce_video.augment.apply import apply_view, plain_view
from sce_video.augment.draw import draw_view
from tests.augment.draws import COINS, Named, named, unnamed, with_probabilities

pytestmark = pytest.mark.rounding

OFF = Named(
    temporal_difference=torch.tensor(False),
    jitter=torch.tensor(False),
    jitter_factors=torch.tensor([0.5, 1.5, 0.2, 0.2]),
    jitter_order=torch.tensor([0, 1, 2, 3]),
    grayscale=torch.tensor(False),
    blur=torch.tensor(False),
    blur_sigma=torch.tensor(1.0),
    solarize=torch.tensor(False),
    flip=torch.tensor(False),
)


def video(*coins, order=(0, 1, 2, 3), factors=(0.5, 1.5, 0.2, 0.2), sigma=1.0):
    """Parameters of one video with the named coins on."""
    return OFF._replace(
        **{name: torch.tensor(True) for name in coins},
        jitter_order=torch.tensor(order),
        jitter_factors=torch.tensor(factors),
        blur_sigma=torch.tensor(sigma),
    )


def random_clips(num_videos, num_frames=3, height=12, width=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num_videos, num_frames, 3, height, width), dtype=torch.uint8, generator=generator)


def gray_clips(*levels):
    """One video per level, 2 frames of 3 x 3 pixels, all in that gray."""
    return torch.stack([torch.full((2, 3, 3, 3), level, dtype=torch.uint8) for level in levels])


def views_of(clips, videos, recipe, successors=None):
    """What is tested: clips of B videos and their parameters, one by one, as a batch."""
    successors = clips[:0] if successors is None else successors
    return apply_view(clips, successors, default_collate(list(map(unnamed, videos))), recipe)


def slow_views(clips, videos, recipe, successors=None):
    """Each frame of each video by itself, with torchvision's functions in the order of the paper's recipe."""
    waiting = list(successors) if successors is not None else []
    views = []
    for clip, parameters in zip(clips, videos, strict=True):
        following = waiting.pop(0) if parameters.temporal_difference else [None] * len(clip)
        frames = [slow_frame(*pair, parameters, recipe) for pair in zip(clip, following, strict=True)]
        views.append(torch.stack(frames, dim=1))
    assert not waiting
    return torch.stack(views)


def slow_frame(frame, successor, parameters, recipe):
    image = TF.to_dtype(frame, torch.float32, scale=True)
    if parameters.temporal_difference:
        gray = TF.rgb_to_grayscale(image, num_output_channels=3)
        next_gray = TF.rgb_to_grayscale(TF.to_dtype(successor, torch.float32, scale=True), num_output_channels=3)
        image = (gray - next_gray + 1) / 2
    if parameters.jitter:
        brightness, contrast, saturation, hue = parameters.jitter_factors.tolist()
        for op in parameters.jitter_order.tolist():
            if op == 0:
                image = TF.adjust_brightness(image, brightness)
            elif op == 1:
                image = TF.adjust_contrast(image, contrast)
            elif op == 2:
                image = TF.adjust_saturation(image, saturation)
            else:
                image = TF.adjust_hue(image, hue)
    if parameters.grayscale:
        image = TF.rgb_to_grayscale(image, num_output_channels=3)
    if parameters.blur:
        kernel, sigma = recipe.ops[2].kernel_pixels, parameters.blur_sigma.item()
        image = TF.gaussian_blur(image, [kernel, kernel], [sigma, sigma])
    if parameters.solarize:
        image = TF.solarize(image, 0.5)
    if parameters.flip:
        image = TF.horizontal_flip(image)
    return TF.normalize(image, recipe.mean, recipe.std)


def assert_views_close(actual, expected):
    # Normalising multiplies rounding by 5; 1.1e-5 was measured.
    torch.testing.assert_close(actual, expected, rtol=0, atol=5e-5)


def test_four_videos_that_share_no_choice(recipe):
    videos = [
        video("jitter", "blur", "flip", order=(3, 1, 0, 2), factors=(1.7, 0.3, 1.4, -0.2), sigma=0.4),
        video("temporal_difference", "jitter", "solarize", order=(1, 0, 2, 3), factors=(0.6, 1.8, 0.7, 0.1)),
        video(),
        video(*COINS, order=(2, 3, 1, 0), factors=(0.9, 1.2, 0.0, 0.5), sigma=2.0),
    ]
    clips, successors = random_clips(4), random_clips(2, seed=1)
    assert_views_close(views_of(clips, videos, recipe, successors), slow_views(clips, videos, recipe, successors))


@pytest.mark.parametrize("seed", range(6))
def test_drawn_parameters(recipe, seed):
    even = with_probabilities(recipe, *COINS, probability=0.5)
    generator = torch.Generator().manual_seed(seed)
    videos = [named(draw_view(even, generator=generator)) for _ in range(8)]
    clips = random_clips(8, seed=seed)
    num_differences = sum(bool(parameters.temporal_difference) for parameters in videos)
    successors = random_clips(num_differences, seed=seed + 100)
    assert_views_close(views_of(clips, videos, recipe, successors), slow_views(clips, videos, recipe, successors))


def test_the_jitter_acts_in_every_drawn_order(recipe):
    orders = list(permutations(range(4)))
    videos = [video("jitter", order=order, factors=(1.6, 0.3, 1.4, 0.2)) for order in orders]
    clips = random_clips(1).expand(24, -1, -1, -1, -1)
    views = views_of(clips, videos, recipe)
    assert_views_close(views, slow_views(clips, videos, recipe))
    # Hue commutes with brightness while nothing is clipped; most orders must differ for the test to mean anything.
    assert len({tuple(view.flatten().tolist()) for view in views}) > 12


def test_an_untouched_video_is_only_normalised(recipe):
    clips = random_clips(2)
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (recipe.mean, recipe.std))
    expected = (clips.transpose(1, 2) / 255 - mean) / std
    views = views_of(clips, [video(), video()], recipe)
    assert views.dtype == torch.float32
    assert views.shape == (2, 3, 3, 12, 10)
    torch.testing.assert_close(views, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(plain_view(clips, mean=recipe.mean, std=recipe.std), expected, rtol=0, atol=1e-6)


def test_inputs_are_left_as_they_are(recipe):
    clips, successors = random_clips(2), random_clips(2, seed=1)
    parameters = default_collate([unnamed(video(*COINS))] * 2)
    tensors = (clips, successors, *parameters)
    before = [tensor.clone() for tensor in tensors]
    apply_view(clips, successors, parameters, recipe)
    plain_view(clips, mean=recipe.mean, std=recipe.std)
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(tensors, before, strict=True))


def test_all_frames_of_a_clip_are_treated_alike(recipe):
    generator = torch.Generator().manual_seed(0)
    even = with_probabilities(recipe, *COINS, probability=0.5)
    videos = [named(draw_view(even, generator=generator)) for _ in range(8)]
    still = random_clips(8, num_frames=1).expand(-1, 4, -1, -1, -1)
    num_differences = sum(bool(parameters.temporal_difference) for parameters in videos)
    successors = random_clips(num_differences, num_frames=1, seed=1).expand(-1, 4, -1, -1, -1)
    views = views_of(still, videos, recipe, successors)
    assert torch.equal(views, views[:, :, :1].expand_as(views))


def test_a_clip_of_one_frame(recipe):
    videos = [video(*COINS), video("jitter", "blur"), video("temporal_difference")]
    clips, successors = random_clips(3, num_frames=1), random_clips(2, num_frames=1, seed=1)
    views = views_of(clips, videos, recipe, successors)
    assert views.shape == (3, 3, 1, 12, 10)
    assert_views_close(views, slow_views(clips, videos, recipe, successors))


def test_a_video_does_not_depend_on_the_others_of_its_batch(recipe):
    generator = torch.Generator().manual_seed(1)
    even = with_probabilities(recipe, *COINS, probability=0.5)
    videos = [named(draw_view(even, generator=generator)) for _ in range(6)]
    clips, following = random_clips(6), random_clips(6, seed=1)
    chosen = torch.stack([parameters.temporal_difference for parameters in videos])
    assert 0 < chosen.sum() < 6
    together = views_of(clips, videos, recipe, following[chosen])
    for i in range(6):
        alone = views_of(clips[i : i + 1], videos[i : i + 1], recipe, following[i : i + 1][chosen[i : i + 1]])
        torch.testing.assert_close(together[i], alone[0], rtol=0, atol=1e-5)


def test_clips_may_be_channels_last_in_memory_as_decoders_return_them(recipe):
    videos = [video(*COINS), video("jitter")]
    clips, successors = random_clips(2), random_clips(1, seed=1)
    strange = clips.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    assert strange.stride() != clips.stride()
    views = views_of(strange, videos, recipe, successors)
    assert views.is_contiguous()
    assert torch.equal(views, views_of(clips, videos, recipe, successors))


def test_temporal_differences_by_hand_go_to_the_right_videos(recipe):
    raw = replace(recipe, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    on, off = video("temporal_difference"), video()
    clips = gray_clips(51, 102, 153, 204)  # 0.2, 0.4, 0.6, 0.8
    successors = gray_clips(204, 0)  # for the videos 1 and 3: 0.8 and 0
    views = views_of(clips, [off, on, off, on], raw, successors)
    # (0.4 - 0.8 + 1) / 2 = 0.3 and (0.8 - 0 + 1) / 2 = 0.9; torchvision's gray weights sum to 0.9999
    for view, expected in zip(views, (0.2, 0.3, 0.6, 0.9), strict=True):
        torch.testing.assert_close(view, torch.full((3, 2, 3, 3), expected), rtol=0, atol=2e-4)


def test_a_missing_successor_is_refused(recipe):
    clips = random_clips(2)
    videos = [video("temporal_difference"), video("temporal_difference")]
    with pytest.raises(ValueError, match="1 clips of successors for 2 frame differences"):
        views_of(clips, videos, recipe, successors=clips[:1])


def test_a_video_that_does_not_move_has_difference_one_half(recipe):
    raw = replace(recipe, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    clips = random_clips(1)
    view = views_of(clips, [video("temporal_difference")], raw, clips)
    assert torch.equal(view, torch.full_like(view, 0.5))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_makes_the_same_views(recipe):
    generator = torch.Generator().manual_seed(1)
    even = with_probabilities(recipe, *COINS, probability=0.5)
    videos = [named(draw_view(even, generator=generator)) for _ in range(8)]
    num_differences = sum(bool(parameters.temporal_difference) for parameters in videos)
    clips, successors = random_clips(8), random_clips(num_differences, seed=1)
    on_gpu = views_of(clips.cuda(), videos, recipe, successors.cuda())
    assert on_gpu.is_cuda
    assert_views_close(on_gpu.cpu(), views_of(clips, videos, recipe, successors))
